/**
 * A fake engine for the page: every request of the contract answered from formula-made runs, with the real rules of main/core behind
 * replay, preview, ranks and checks. Time stands still until `tick` is called, so that screenshots are equal from run to run.
 */

import { compare, comparedRun } from '../../../main/core/comparison.ts';
import { phaseSettings } from '../../../main/core/phaseSettings.ts';
import { previewSwitch } from '../../../main/core/preview.ts';
import { replay } from '../../../main/core/replay.ts';
import { parseConfig, resolveWithData } from '../../../main/core/resolveConfig.ts';
import type { ResolvedConfig } from '../../../main/protocol/config.ts';
import { RunConfig } from '../../../main/protocol/config.ts';
import type { PushEvents } from '../../../main/protocol/events.ts';
import { packSnapshots } from '../../../main/protocol/packedSnapshots.ts';
import type { EventRecord } from '../../../main/protocol/records.ts';
import { type ErrorCode, PreloraError, type Reply } from '../../../main/protocol/reply.ts';
import {
  type AppDescription,
  type Distribution,
  type Estimate,
  type engineRequests,
  type HandlersOf,
  type PhaseSummary,
  type RunSpace,
  type RunState,
  RunState as RunStateSchema,
  type RunSummary,
  type WhatIfSettings,
} from '../../../main/protocol/requests.ts';
import type { Phase, RunStatus, StatusFile } from '../../../main/protocol/run.ts';
import { CLASS_NAMES, DATA_FACTS, type History, makeHistory, noise, protocolCost, type RunPlan, ranksFile, timeAt } from './history.ts';
import { picture } from './pictures.ts';
import { ScriptedQueue } from './queue.ts';

const GIB = 2 ** 30;

interface ScriptedRun {
  history: History;
  config: ResolvedConfig;
  status: RunStatus;
  step: number;
  tags: string[];
  note: string;
  archived: boolean;
  trashed: boolean;
  /** Its older checkpoints were removed. */
  cleaned: boolean;
  problem: string | null;
  message: string | null;
  sequence: number;
  extra: EventRecord[];
  /** Step of a switch by the user, beside the rule's. */
  switchStep: number | null;
  freezeStep: number | null;
}

/** A run to begin with. */
export type ScriptedPlan = RunPlan & { status: RunStatus; tags?: string[]; problem?: string; odd?: boolean };

export interface ScriptedOptions {
  /** The runs cannot be listed. */
  isBroken?: boolean;
  /** Rows that the table of runs has besides. */
  copies?: number;
  /** Classes of an evaluation; null takes those of the data. */
  classCount?: number | null;
}

export class ScriptedEngine {
  readonly #runs = new Map<string, ScriptedRun>();
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>();
  readonly #options: ScriptedOptions;
  readonly #queue: ScriptedQueue;
  #installTimer: ReturnType<typeof setTimeout> | undefined;
  #created = 0;
  /** Requests so far, for assertions. */
  readonly asked: { name: string; arg: unknown }[] = [];
  latencyMs = 0;

  constructor(plans: readonly ScriptedPlan[], options: ScriptedOptions = {}) {
    this.#options = options;
    const queued = plans.length > 0 ? ['flowers-c', 'flowers-d', 'flowers-e'] : [];
    this.#queue = new ScriptedQueue(queued, () => this.emit('queue:changed', {}));
    for (const plan of plans) {
      const { history } = this.#add(plan, plan.status, plan);
      if (plan.odd) makeOdd(history);
    }
  }

  #add(plan: RunPlan, status: RunStatus, about: { tags?: string[]; problem?: string } = {}): ScriptedRun {
    const history = makeHistory(plan);
    const run: ScriptedRun = {
      history,
      config: history.config,
      status,
      step: Math.min(plan.atStep, history.totalSteps),
      tags: about.tags ?? [],
      note: '',
      archived: false,
      trashed: false,
      cleaned: false,
      problem: about.problem ?? null,
      message: null,
      sequence: 0,
      extra: [],
      switchStep: history.switchStep,
      freezeStep: history.freezeStep,
    };
    this.#runs.set(plan.runId, run);
    return run;
  }

  /** `window.workbench` of the page. */
  readonly bridge = {
    request: (name: string, arg: unknown): Promise<Reply<unknown>> => this.#request(name, arg),
    on: (event: string, listener: (payload: unknown) => void): (() => void) => {
      const set = this.#listeners.get(event) ?? new Set();
      this.#listeners.set(event, set.add(listener));
      return () => set.delete(listener);
    },
  };

  emit<E extends keyof PushEvents>(event: E, payload: PushEvents[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(payload);
  }

  /** Trains a running run further and pushes the frame. */
  tick(runId: string, steps: number): void {
    const run = this.#run(runId);
    const from = run.step;
    run.step = Math.min(run.history.totalSteps, run.step + steps);
    if (run.step === run.history.totalSteps) run.status = 'finished';
    this.#frame(runId, run, from);
  }

  #frame(runId: string, run: ScriptedRun, from: number, events: EventRecord[] = []): void {
    const fresh = <T extends { step: number }>(records: readonly T[]): T[] => records.filter(({ step }) => step > from && step <= run.step);
    const { metrics, epochs, snapshots } = run.history;
    run.sequence++;
    this.emit('run:frame', {
      runId,
      sequence: run.sequence,
      live: ['running', 'paused', 'diverged'].includes(run.status),
      metrics: fresh(metrics),
      epochs: fresh(epochs),
      snapshots: fresh(snapshots),
      events: [...fresh(run.history.events), ...events],
      status: this.#status(run),
      activity: run.status === 'running' ? 'training' : run.status,
      etaSeconds: (run.history.totalSteps - run.step) * 0.103,
    });
  }

  /** The trainer dies. */
  crash(runId: string): void {
    const run = this.#run(runId);
    run.status = 'interrupted';
    run.message = 'The trainer ended with signal SIGKILL, most likely because memory ran out.';
    this.emit('trainer:exited', { runId, reason: run.message, resumable: true });
    this.emit('runs:changed', { runIds: [runId] });
  }

  propose(runId: string): void {
    this.emit('switch:proposed', { runId, step: this.#run(runId).step, dueStep: null });
  }

  /** Finished runs have two checkpoints that nothing keeps. */
  #space(run: ScriptedRun): RunSpace {
    const isLive = ['running', 'paused', 'diverged'].includes(run.status);
    const removable: RunSpace['removable'] = [
      { step: 1200, bytes: 82e6, reason: 'older' },
      { step: 2400, bytes: 82e6, reason: 'abandoned' },
    ];
    const { sizeBytes, runId, status } = this.#summary(run);
    return {
      runId,
      name: status.name,
      bytes: sizeBytes,
      checkpointBytes: 246e6,
      removable: run.cleaned ? [] : removable,
      blocked: isLive ? 'a trainer has it open; stop the run first' : null,
    };
  }

  #create(config: ConfigLike): { runId: string } {
    const runId = `scripted-${++this.#created}`;
    this.#add({ runId, name: config.name || 'sample', config, atStep: 0, seed: 5, daysAgo: 0 }, 'running');
    this.emit('runs:changed', { runIds: [runId] });
    return { runId };
  }

  #run(runId: string): ScriptedRun {
    const run = this.#runs.get(runId);
    if (!run) throw new PreloraError('not-found', `There is no run ${runId}.`, 'runId');
    return run;
  }

  async #request(name: string, arg: unknown): Promise<Reply<unknown>> {
    this.asked.push({ name, arg });
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    const handlers = { ...this.handlers, ...this.#queue.handlers };
    const handler = (handlers as unknown as Record<string, (arg: never) => Promise<unknown>>)[name];
    try {
      if (!handler) throw new PreloraError('bad-arguments', `${name} is not served in this mode.`);
      return { ok: true, value: structuredClone(await handler(arg as never)) };
    } catch (error) {
      const known = error instanceof PreloraError ? error : new PreloraError('internal', String(error));
      return { ok: false, error: { code: known.code as ErrorCode, message: known.message, field: known.field } };
    }
  }

  readonly handlers = {
    'app:describe': async () => this.#describe(),
    'app:diagnose': async ({ runId }) => ({
      fileName: 'prelora-diagnostics-20261123-0822.zip',
      files: [
        { name: 'about.json', text: JSON.stringify({ program: { version: '0.1.0' }, disk: { dataRoot: '<data>' } }, null, 2) },
        { name: 'log.txt', text: '2026-11-23T08:10:00.000Z replay: Error: no snapshots in <path 1.jsonl>' },
        ...(runId === null
          ? []
          : [{ name: 'run/config.json', text: JSON.stringify({ name: '<name>', data: { source: '<path 2>' } }, null, 2) }]),
      ],
      zipBase64: btoa('PK'),
    }),
    'runs:list': async () => {
      if (this.#options.isBroken) {
        throw new PreloraError(
          'run-damaged',
          'The data root /data/prelora cannot be read: permission denied. Check its owner, then retry.',
        );
      }
      const rows = [...this.#runs.values()].filter((run) => !run.trashed).map((run) => this.#summary(run));
      return [...rows, ...copiesOf(rows, this.#options.copies ?? 0)];
    },
    'runs:rename': async ({ runId, name }) => {
      this.#run(runId).config = { ...this.#run(runId).config, name };
    },
    'runs:annotate': async ({ runId, ...change }) => {
      Object.assign(this.#run(runId), change);
    },
    'runs:compare': async ({ runIds, atStep }) =>
      compare(
        runIds.map((runId) => this.#compared(runId)),
        atStep,
      ),
    'runs:trash': async ({ runId }) => {
      this.#run(runId).trashed = true;
    },
    'runs:restore': async ({ runId }) => {
      this.#run(runId).trashed = false;
    },
    'storage:preview': async () => {
      const runs = [...this.#runs.values()].filter((run) => !run.trashed).map((run) => this.#space(run));
      return { runs: runs.sort((a, b) => b.bytes - a.bytes), freeDiskBytes: 81 * GIB };
    },
    'storage:clean': async ({ runs }) => {
      let bytes = 0;
      for (const { runId, steps } of runs) {
        const run = this.#run(runId);
        bytes += this.#space(run)
          .removable.filter(({ step }) => steps.includes(step))
          .reduce((sum, one) => sum + one.bytes, 0);
        run.cleaned = true;
      }
      return { bytes };
    },
    'config:check': async ({ config }) => problems(config),
    'config:toYaml': async ({ config }) => ({ yaml: toYaml(config) }),
    'config:fromText': async ({ text }) => ({ config: fromYaml(text) }),
    'estimate:compute': async ({ config }) => estimate(config, false),
    'estimate:measure': async ({ config }) => {
      this.emit('task:progress', { task: 'estimate:measure', message: 'step 4 of 10, full phase', fraction: 0.2 });
      return estimate(config, true);
    },
    'weights:describe': async ({ source }) => {
      if (!source.includes('vit'))
        throw new PreloraError('not-found', `start weights ${source}: no such file or folder`, 'model.startFrom');
      const sizes = { imageSize: 224, patchSize: 16, inChannels: 3, embedDim: 192, depth: 12, mlpRatio: 4, qkvBias: true };
      const model = { size: 'custom' as const, ...sizes, numHeads: 3, layerNormEps: 1e-12, numClasses: 1000 };
      return { kind: 'Hugging Face', model, notes: ['the pooler is not used and is left out'] };
    },
    'weights:distribution': async ({ module, of }) => {
      const items = of.map(({ runId, step }) => ({
        runId,
        step: step ?? this.#run(runId).step,
        before: step === 250 ? null : (step ?? 500) - 250,
      }));
      return { items, figures: (['weight', 'update', 'gradient'] as const).map((kind) => distribution(kind, module, items)) };
    },
    'weights:difference': async ({ from, to }) => ({
      fromStep: from.step ?? this.#run(from.runId).step,
      toStep: to.step ?? this.#run(to.runId).step,
      added: ['loraA', 'loraB'].map((part, i) => ({ name: `blocks.0.attn.q.${part}`, shape: i === 0 ? [192, 8] : [8, 192] })),
      removed: [],
      reshaped: [],
      moved: Array.from({ length: 24 }, (_, i) => ({ name: `blocks.${i % 12}.mlp.fc${i < 12 ? 1 : 2}.weight`, relative: 0.42 / (i + 1) })),
      identical: 12,
    }),
    'data:inspect': async ({ data }) => inspect(data),
    'run:start': async ({ config }) => {
      const [problem] = problems(config);
      if (problem) throw new PreloraError('bad-config', problem.message, problem.field);
      return this.#create(config as ConfigLike);
    },
    'run:sample': async () => this.#create({ preset: 'sample', data: { source: 'sample' } }),
    'run:state': async ({ runId }) => this.#state(this.#run(runId)),
    'run:unsubscribe': async () => {},
    'frames:ack': async () => {},
    'run:pause': async ({ runId }) => this.#enter(runId, 'paused', 'paused'),
    'run:resume': async ({ runId }) => this.#enter(runId, 'running', 'resumed'),
    'run:advance': async ({ runId }) => this.#enter(runId, 'running', 'resumed'),
    'run:stop': async ({ runId, discard }) => {
      if (discard) this.#run(runId).trashed = true;
      this.#enter(runId, 'interrupted', 'interrupted');
    },
    'run:checkpoint': async ({ runId }) => ({ step: this.#run(runId).step }),
    'run:edit': async ({ runId, changes }) => {
      const run = this.#run(runId);
      const edited = structuredClone(run.config) as unknown as Record<string, Record<string, unknown>>;
      const events = Object.entries(changes).map(([field, to]) => {
        const [section, key] = field.split('.') as [string, string];
        const from = edited[section]?.[key];
        Object.assign(edited[section] ?? {}, { [key]: to });
        return this.#event(run, 'edited', { field, from, to });
      });
      run.config = resolveWithData(parseConfig(edited), DATA_FACTS);
      run.extra.push(...events);
      this.#frame(runId, run, run.step, events);
    },
    'run:note': async ({ runId, text }) => this.#journal(runId, 'note', { text }),
    'run:fork': async ({ runId, changes }) => {
      const source = this.#run(runId);
      const forkId = `scripted-${++this.#created}`;
      const config = structuredClone(source.config) as unknown as Record<string, Record<string, unknown>>;
      for (const [field, to] of Object.entries(changes)) {
        const [section, key] = field.split('.') as [string, string];
        Object.assign(config[section] ?? {}, { [key]: to });
      }
      this.#add({ ...source.history.plan, runId: forkId, name: `${source.config.name}-fork`, config, atStep: source.step }, 'running');
      this.emit('runs:changed', { runIds: [forkId] });
      return { runId: forkId };
    },
    'run:forkBothWays': async ({ runId }) => {
      const { name } = this.#run(runId).config;
      const forks = [`${name} switched`, `${name} never switched`];
      await this.#queue.handlers['queue:add']({ orders: forks.map((fork) => ({ config: { name: fork }, fallback: null, study: null })) });
      return { runIds: forks };
    },
    'switch:preview': async ({ runId, settings }) => this.#preview(this.#run(runId), settings),
    'switch:trial': async ({ runId, ranks }) => {
      const { config } = this.#run(runId);
      this.emit('task:progress', { task: 'switch:trial', message: 'step 12 of 20', fraction: 0.6 });
      return {
        now: { ...protocolCost(config, 'full', {}, 1240), totalBytes: 5.31 * GIB, measured: true },
        lora: { ...protocolCost(config, 'lora', ranks, 1560), totalBytes: 5.24 * GIB, measured: true },
      };
    },
    'switch:now': async ({ runId }) => {
      const run = this.#run(runId);
      run.switchStep = run.step;
      run.freezeStep = null;
      this.#journal(runId, 'switched', { adapterParameters: 331_776 });
    },
    'switch:defer': async ({ runId, until }) => this.#journal(runId, 'switch-deferred', { kind: Object.keys(until)[0], ...until }),
    'switch:veto': async ({ runId }) => this.#journal(runId, 'switch-vetoed', {}),
    'switch:freezeNow': async ({ runId }) => this.#journal(runId, 'freeze-requested', {}),
    'switch:undo': async ({ runId }) => {
      const run = this.#run(runId);
      const to = run.switchStep;
      run.switchStep = null;
      run.freezeStep = null;
      run.status = 'paused';
      run.step = to ?? run.step;
      this.#journal(runId, 'undone', { from: run.step, to });
    },
    replay: async ({ runId, settings }) => this.#replay(this.#run(runId), settings),
    evaluate: async ({ runId, checkpoint }) => evaluate(this.#run(runId), checkpoint, this.#options.classCount ?? CLASS_NAMES.length),
    'data:images': async ({ indices }) =>
      indices.map((index) => ({ index, image: picture(index % CLASS_NAMES.length, index), path: `val/${index}.png` })),
    predict: async ({ sample }) => {
      const truth = (sample ?? 3) % CLASS_NAMES.length;
      const classes = CLASS_NAMES.map((name, index) => ({ name, probability: index === truth ? 0.86 : 0.14 / 9 }));
      return {
        classes: classes.sort((a, b) => b.probability - a.probability),
        truth: sample === undefined ? null : (CLASS_NAMES[truth] ?? null),
        image: picture(truth, sample ?? 3),
        step: 3200,
      };
    },
    'engine:install': () =>
      new Promise((resolve, reject) => {
        let fraction = 0;
        const step = (): void => {
          fraction += 0.1;
          const message = `downloading, ${Math.round(fraction * 590)} of 590 MiB`;
          this.emit('task:progress', { task: 'engine:install', message, fraction: Math.min(1, fraction) });
          if (fraction >= 1) resolve({ version: '2.21.0' });
          else this.#installTimer = setTimeout(step, 300);
        };
        this.#cancelInstall = () =>
          reject(
            new PreloraError(
              'interrupted',
              'The installation was cancelled; what was fetched is kept and the next try goes on from there.',
            ),
          );
        step();
      }),
    'engine:cancelInstall': async () => {
      clearTimeout(this.#installTimer);
      this.#cancelInstall();
    },
  } satisfies Omit<HandlersOf<typeof engineRequests>, keyof ScriptedQueue['handlers']>;

  #cancelInstall: () => void = () => {};

  #event(run: ScriptedRun, kind: string, detail: EventRecord['detail']): EventRecord {
    return { kind, step: run.step, segment: 0, time: timeAt(run.step + run.extra.length, run.history), by: 'user', detail };
  }

  #journal(runId: string, kind: string, detail: EventRecord['detail']): void {
    const run = this.#run(runId);
    const event = this.#event(run, kind, detail);
    run.extra.push(event);
    this.#frame(runId, run, run.step, [event]);
  }

  #enter(runId: string, status: RunStatus, kind: string): void {
    this.#run(runId).status = status;
    this.#journal(runId, kind, {});
    this.emit('runs:changed', { runIds: [runId] });
  }

  #phase(run: ScriptedRun): Phase {
    if (run.freezeStep !== null && run.step >= run.freezeStep) return 'lora';
    return run.switchStep !== null && run.step >= run.switchStep ? 'warmup' : 'full';
  }

  #status(run: ScriptedRun): StatusFile {
    const { history } = run;
    const phase = this.#phase(run);
    const epochs = history.epochs.filter((epoch) => epoch.step <= run.step);
    const best = epochs.reduce<(typeof epochs)[number] | null>((top, one) => ((one.valTop1 ?? 0) > (top?.valTop1 ?? 0) ? one : top), null);
    const ranks = Object.fromEntries((history.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]));
    return {
      runId: history.plan.runId,
      name: run.config.name,
      status: run.status,
      phase,
      step: run.step,
      totalSteps: history.totalSteps,
      stepsPerEpoch: history.stepsPerEpoch,
      epoch: Math.floor(run.step / history.stepsPerEpoch),
      epochs: run.config.train.epochs,
      segment: 0,
      switchStep: phase === 'full' ? null : run.switchStep,
      freezeStep: phase === 'lora' ? run.freezeStep : null,
      trainableParameters: protocolCost(run.config, phase, ranks, null).trainableParameters,
      totalParameters: protocolCost(run.config, 'full', {}, null).trainableParameters,
      best: best && { step: best.step, epoch: best.epoch, valTop1: best.valTop1 ?? 0 },
      backend: {
        name: 'tensorflow',
        version: '2.21.0',
        device: 'CPU, 2 threads',
        why: 'the GPU engine is not installed yet',
        compiled: true,
      },
      message: run.message,
      updatedAt: timeAt(run.step, history),
    };
  }

  #compared(runId: string) {
    const { summary, epochs, ranks, phases } = this.#state(this.#run(runId));
    const status = { ...summary.status, phases };
    return comparedRun({
      runDir: summary.dir,
      config: this.#run(runId).config,
      status,
      epochs,
      share: ranks?.share ?? null,
      variant: null,
    });
  }

  #summary(run: ScriptedRun): RunSummary {
    const phase = this.#phase(run);
    return {
      runId: run.history.plan.runId,
      dir: `/data/prelora/runs/${run.history.plan.runId}`,
      config: run.config,
      status: this.#status(run),
      startedAt: timeAt(0, run.history),
      sizeBytes: 0.31 * GIB + run.step * 40_000,
      seconds: run.step * 0.103,
      imagesPerSecond: run.step === 0 ? null : { full: 1240, warmup: 1190, lora: 1560 }[phase],
      peakMemoryBytes: run.step === 0 ? null : { full: 5.31, warmup: 5.38, lora: 5.24 }[phase] * GIB,
      tags: run.tags,
      note: run.note,
      archived: run.archived,
      study: null,
      problem: run.problem,
    };
  }

  #state(run: ScriptedRun): RunState {
    if (run.problem) throw new PreloraError('run-damaged', run.problem);
    const upTo = <T extends { step: number }>(records: readonly T[]): T[] => records.filter(({ step }) => step <= run.step);
    const { history } = run;
    const phase = this.#phase(run);
    return RunStateSchema.parse({
      summary: this.#summary(run),
      metrics: upTo(history.metrics),
      epochs: upTo(history.epochs),
      snapshots: packSnapshots(upTo(history.snapshots), toBase64),
      events: [...upTo(history.events), ...run.extra],
      abandoned: { metrics: [], epochs: [] },
      ranks: phase === 'full' ? null : history.ranks,
      phases: this.#phases(run, phase),
      checkpoints: [
        { step: Math.max(0, run.step - 250), phase, pinned: false, bytes: 0.032 * GIB },
        ...(run.switchStep !== null && phase !== 'full' ? [{ step: run.switchStep, phase: 'full', pinned: true, bytes: 0.032 * GIB }] : []),
      ],
      classNames: this.#options.classCount ? Array.from({ length: this.#options.classCount }, (_, i) => `class ${i}`) : CLASS_NAMES,
      live: run.status === 'running' || run.status === 'paused',
      sequence: run.sequence,
    });
  }

  #phases(run: ScriptedRun, now: Phase): PhaseSummary[] {
    const { history } = run;
    const ranks = Object.fromEntries((history.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]));
    const reached = { full: ['full'], warmup: ['full', 'warmup'], lora: ['full', 'warmup', 'lora'] }[now] as Phase[];
    const start = { full: 0, warmup: run.switchStep ?? 0, lora: run.freezeStep ?? 0 };
    return reached.map((phase, index) => {
      const next = reached[index + 1];
      const imagesPerSecond = { full: 1240, warmup: 1190, lora: 1560 }[phase];
      return {
        phase,
        startStep: start[phase],
        endStep: next ? start[next] : run.status === 'finished' ? run.step : null,
        imagesPerSecond,
        stepMsMedian: (1000 * run.config.train.batchSize) / imagesPerSecond,
        peakMemoryBytes: { full: 5.31, warmup: 5.38, lora: 5.24 }[phase] * GIB,
        trainableParameters: protocolCost(run.config, phase, ranks, null).trainableParameters,
      };
    });
  }

  #snapshots(run: ScriptedRun) {
    return run.history.snapshots.filter(({ step }) => step <= run.step && (run.switchStep === null || step <= run.switchStep));
  }

  #preview(run: ScriptedRun, settings: WhatIfSettings) {
    const length = { stepsPerEpoch: run.history.stepsPerEpoch, totalSteps: run.history.totalSteps };
    const proposed: ResolvedConfig = { ...run.config, prelora: { ...run.config.prelora, ...definedOnly(settings) } };
    const preview = previewSwitch({ snapshots: this.#snapshots(run), present: run.config, proposed, length });
    const ranks = preview.plan?.ranks ?? {};
    return {
      step: run.step,
      passes: preview.verdict.passes,
      words: preview.verdict.words,
      ranks: ranksFile(run.step, preview),
      problem: preview.planError?.message ?? null,
      now: protocolCost(run.config, 'full', {}, 1250),
      warmup: preview.plan && protocolCost(proposed, 'warmup', ranks, 1180),
      lora: preview.plan && protocolCost(proposed, 'lora', ranks, 1600),
      pace: preview.plan && { jointSteps: phaseSettings(proposed, length).jointSteps, warmup: 1180 / 1250, lora: 1600 / 1250 },
    };
  }

  #replay(run: ScriptedRun, settings: WhatIfSettings) {
    const length = { stepsPerEpoch: run.history.stepsPerEpoch, totalSteps: run.history.totalSteps };
    const config: ResolvedConfig = { ...run.config, prelora: { ...run.config.prelora, ...definedOnly(settings) } };
    const place = phaseSettings(config, length);
    const result = replay(this.#snapshots(run), { ...place.config, ...place });
    const { switchStep, windows, ranks, reasons } = result;
    return {
      switchStep,
      windows: windows.map((window) => ({ ...window, families: window.families as Record<string, number> })),
      ranks,
      reasons,
    };
  }

  #describe(): AppDescription {
    return {
      version: '0.1.0',
      platform: 'linux-x64',
      host: 'browser',
      cores: 2,
      memoryBytes: 7.6 * GIB,
      dataRoot: '/home/ada/.local/share/prelora-workbench',
      presets: [
        {
          name: 'sample',
          title: 'Sample',
          summary: 'A few minutes on two cores: settles fast, to show the switch.',
          config: { data: { source: 'sample' } },
        },
        { name: 'fashion-mnist', title: 'Fashion-MNIST', summary: 'The whole set, ViT-Ti width 96.', config: SCRIPTED_CONFIG },
      ],
      engines: [
        { name: 'tensorflow', available: true, version: '2.21.0', device: 'CPU', why: 'In use. No GPU found by the driver.' },
        { name: 'wasm', available: true, version: '4.22.0', device: 'CPU, 1 thread', why: 'Always there; slower than TensorFlow.' },
      ],
      installableEngines: ['gpu'],
      installing: null,
      configSchema: RunConfig.toJSONSchema({ io: 'input' }),
    };
  }
}

/** Rows with names of their own, for a table of thousands. */
function copiesOf(rows: readonly RunSummary[], count: number): RunSummary[] {
  return Array.from({ length: count }, (_, i) => {
    const row = rows[i % rows.length] as RunSummary;
    return { ...row, runId: `copy-${i}`, status: { ...row.status, runId: `copy-${i}`, name: `copy ${i}` } };
  });
}

/** A loss that is no number, metrics and accuracies that are missing, a kind of event nobody knows, a clock that jumps back. */
function makeOdd({ metrics, epochs, events }: History): void {
  for (const record of metrics) {
    if (record.step % 500 === 0) record.loss = Number.NaN;
    if (record.step > 1000 && record.step < 1500) Object.assign(record, { imagesPerSecond: null, memoryBytes: null, stepMs: null });
  }
  for (const epoch of epochs) if (epoch.epoch % 3 === 0) Object.assign(epoch, { valTop1: null, valTop5: null, valLoss: null });
  const first = events[0];
  if (!first) return;
  events.push({
    ...first,
    kind: 'teleported',
    step: 2000,
    time: '1999-12-31T23:59:59.000Z',
    by: 'program',
    detail: { words: 'from the future' },
  });
  events.sort((a, b) => a.step - b.step);
}

/** As Node's Buffer writes it. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

type ConfigLike = { preset?: string; name?: string; train?: object; model?: object; data?: object; prelora?: object };

export const SCRIPTED_CONFIG = {
  model: { size: 'custom' as const, imageSize: 32, patchSize: 4, embedDim: 192, depth: 12, numHeads: 3 },
  data: { source: 'fashion-mnist' },
  train: { epochs: 60, batchSize: 128, lrWarmupSteps: 500 },
  prelora: { tau: 0.8, zeta: 5, snapshotEvery: 250, jointSteps: 1000 },
};

function definedOnly(settings: WhatIfSettings): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function problems(config: unknown): { field: string; message: string }[] {
  try {
    resolveWithData(parseConfig(config), DATA_FACTS);
    return [];
  } catch (error) {
    if (error instanceof PreloraError) return [{ field: error.field ?? '', message: error.message }];
    throw error;
  }
}

function estimate(config: unknown, measured: boolean): Estimate {
  const found = problems(config);
  const nothing = { full: null, warmup: null, lora: null, parameters: null, stepsPerEpoch: null, totalSteps: null, firstTestStep: null };
  const machine = { freeMemoryBytes: 7.6 * GIB, freeDiskBytes: 81 * GIB };
  if (found.length > 0) return { problems: found, ...nothing, secondsEstimate: null, checkpointBytes: null, ...machine };
  const resolved = resolveWithData(parseConfig(config), DATA_FACTS);
  const stepsPerEpoch = Math.floor(DATA_FACTS.trainCount / resolved.train.batchSize);
  const totalSteps = stepsPerEpoch * resolved.train.epochs;
  const settings = phaseSettings(resolved, { stepsPerEpoch, totalSteps });
  const cost = (phase: Phase, rate: number) => ({ ...protocolCost(resolved, phase, {}, rate), measured });
  const full = cost('full', 1250);
  return {
    problems: [],
    parameters: full.trainableParameters,
    full,
    warmup: cost('warmup', 1180),
    lora: cost('lora', 1600),
    stepsPerEpoch,
    totalSteps,
    firstTestStep:
      Math.ceil(settings.minStep / settings.snapshotEvery) * settings.snapshotEvery +
      (resolved.prelora.windowSize - 1) * settings.snapshotEvery,
    secondsEstimate: (totalSteps * resolved.train.batchSize) / 1250,
    checkpointBytes: full.trainableParameters * 12,
    ...machine,
  };
}

function inspect(data: unknown) {
  const { source } = data as { source?: string };
  if (source?.startsWith('/missing'))
    throw new PreloraError('data-not-found', `data.source ${source}: there is no such folder. Check the path.`, 'data.source');
  return {
    source: source ?? 'sample',
    kind: 'IDX',
    classNames: CLASS_NAMES,
    channels: 1,
    trainCount: DATA_FACTS.trainCount,
    valCount: 10_000,
    valOrigin: 'the test files of the source',
    classCounts: CLASS_NAMES.map((name) => ({ name, train: 3200, val: 1000 })),
    mean: DATA_FACTS.mean,
    std: DATA_FACTS.std,
    skipped: [{ path: 'train/Bag/0441.png', reason: 'truncated after 312 bytes' }],
    thumbnails: Array.from({ length: 24 }, (_, index) => ({ label: CLASS_NAMES[index % 10] ?? '', image: picture(index % 10, index) })),
  };
}

/** A bell per checkpoint, narrower the later; the first checkpoint has no update. */
function distribution(kind: Distribution['kind'], module: string, items: { step: number; before: number | null }[]): Distribution {
  const scale = { weight: 0.1, update: 0.01, gradient: 0.001 }[kind];
  const edges = Array.from({ length: 61 }, (_, i) => scale * (i / 10 - 3));
  const series = items.map(({ step, before }) => {
    if (kind === 'update' && before === null) return null;
    const std = scale * (0.5 + 250 / (step + 250));
    const counts = edges
      .slice(0, -1)
      .map((edge, i) => Math.round(36_864 * 0.06 * Math.exp(-((edge / std) ** 2) / 2) * (1 + 0.1 * noise(i, step, module.length))));
    return { counts, mean: 0, std, min: -3 * scale, max: 3 * scale, count: counts.reduce((sum, one) => sum + one, 0) };
  });
  return { kind, edges, series };
}

function evaluate(run: ScriptedRun, checkpoint: 'last' | 'best' | number, classes: number) {
  const epoch = run.history.epochs.filter(({ step }) => step <= run.step).at(-1);
  if (!epoch) throw new PreloraError('not-found', 'There is no checkpoint yet; the first comes at step 250.');
  const names = Array.from({ length: classes });
  const confusion = names.map((_, truth) => {
    const row = names.map((_, predicted) =>
      predicted === truth || predicted > 9 ? 0 : Math.round(Math.max(0, 24 * noise(truth, predicted, 9))),
    );
    row[truth] = 1000 - row.reduce((sum, value) => sum + value, 0);
    return row;
  });
  const images = Array.from({ length: 60 }, (_, index) => ({
    index,
    truth: index % 10,
    predicted: (index * 7 + 3) % 10,
    loss: 4.8 - 0.07 * index,
  }));
  const correct = confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  const step = typeof checkpoint === 'number' ? checkpoint : epoch.step;
  return {
    step,
    valLoss: epoch.valLoss ?? 0,
    valTop1: correct / (1000 * classes),
    valTop5: epoch.valTop5 ?? 0,
    count: 1000 * classes,
    confusion,
    images,
  };
}

/** Enough YAML for a config: two levels, JSON values. The real host uses the yaml package. */
function toYaml(config: unknown): string {
  return Object.entries(config as object)
    .map(([key, value]) =>
      value !== null && typeof value === 'object'
        ? `${key}:\n${Object.entries(value)
            .map(([name, inner]) => `  ${name}: ${JSON.stringify(inner)}`)
            .join('\n')}`
        : `${key}: ${JSON.stringify(value)}`,
    )
    .join('\n');
}

function fromYaml(text: string): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  let section: Record<string, unknown> = root;
  for (const line of text.split('\n')) {
    const match = /^(\s*)([\w.]+):\s*(.*)$/.exec(line);
    if (!match) continue;
    const [, indent, key, value] = match as unknown as [string, string, string, string];
    if (indent === '') section = root;
    if (value === '') {
      section = {};
      root[key] = section;
    } else {
      try {
        section[key] = JSON.parse(value);
      } catch {
        section[key] = value;
      }
    }
  }
  return root;
}
