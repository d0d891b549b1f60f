/**
 * A fake engine for the page: every request of the contract answered from formula-made runs, with the real rules of main/core behind
 * replay, preview, ranks and checks. Time stands still until `tick` is called, so that screenshots are equal from run to run.
 */
import { compare, comparedRun } from '../../../main/core/comparison.ts';
import { parseConfig, resolveWithData } from '../../../main/core/resolveConfig.ts';
import type { EventRecord } from '../../../main/protocol/records.ts';
import { type ErrorCode, PreloraError, type Reply } from '../../../main/protocol/reply.ts';
import type { engineRequests, HandlersOf } from '../../../main/protocol/requests.ts';
import type { RunSummary, UnpackedSource } from '../../../main/protocol/results.ts';
import type { RunStatus } from '../../../main/protocol/run.ts';
import type { PageEvents } from '../../../renderer/api.ts';
import { augment, distribution, evaluate, inspect } from './answers.ts';
import { describeApp, unpackedSources } from './application.ts';
import { ScriptedCompute } from './compute.ts';
import { previewOf, replayOf } from './decisions.ts';
import { estimate, problems } from './estimates.ts';
import { ScriptedExports } from './exports.ts';
import { CLASS_NAMES, DATA_FACTS, GIB, makeHistory, makeOdd, protocolCost, type RunPlan, timeAt } from './history.ts';
import { picture } from './pictures.ts';
import { ScriptedQueue } from './queue.ts';
import { factsOf, phaseOf, piecesOf, type ScriptedRun, spaceOf, stateOf, statusOf, summaryOf } from './run.ts';
import { ScriptedShell } from './shell.ts';
import { ScriptedTrash } from './trash.ts';
import { fromYaml, toYaml } from './yaml.ts';

const MIB = GIB / 1024;

/** A run to begin with. */
export type ScriptedPlan = RunPlan & {
  status: RunStatus;
  tags?: string[];
  /** The run cannot be read. */
  problem?: string;
  /** One of its records cannot be read. */
  torn?: string;
  odd?: boolean;
};

export interface ScriptedOptions {
  /** The runs cannot be listed. */
  isBroken?: boolean;
  /** Rows that the table of runs has besides. */
  copies?: number;
  /** Classes of an evaluation; null takes those of the data. */
  classCount?: number | null;
  /** The desktop app round the page, whose shell answers too. */
  isDesktop?: boolean;
}

export class ScriptedEngine {
  readonly #runs = new Map<string, ScriptedRun>();
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>();
  readonly #options: ScriptedOptions;
  readonly #queue: ScriptedQueue;
  readonly #trash: ScriptedTrash;
  readonly exports: ScriptedExports;
  readonly #compute = new ScriptedCompute((progress) => this.emit('task:progress', progress));
  #unpacked: UnpackedSource[];
  /** Answers in the desktop app alone. */
  readonly shell = new ScriptedShell();
  readonly #templates = new Map<string, unknown>();
  #created = 0;
  /** Requests so far, for assertions. */
  readonly asked: { name: string; arg: unknown }[] = [];
  latencyMs = 0;

  constructor(plans: readonly ScriptedPlan[], options: ScriptedOptions = {}) {
    this.#options = options;
    const queued = plans.length > 0 ? ['flowers-c', 'flowers-d', 'flowers-e'] : [];
    this.#queue = new ScriptedQueue(queued, () => this.emit('queue:changed', {}));
    this.exports = new ScriptedExports(this.#runs, (progress) => this.emit('task:progress', progress));
    this.#trash = new ScriptedTrash(this.#runs, plans.length > 0, (runId) => this.emit('runs:changed', { runIds: [runId] }));
    this.#unpacked = plans.length > 0 ? unpackedSources() : [];
    for (const plan of plans) {
      const { history } = this.#add(plan, plan.status, plan);
      if (plan.odd) makeOdd(history);
    }
  }

  #add(plan: RunPlan, status: RunStatus, about: { tags?: string[]; problem?: string; torn?: string } = {}): ScriptedRun {
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
      torn: about.torn ?? null,
      message: null,
      disk: { freeBytes: 81 * GIB, checkpointBytes: 36 * MIB, isLow: false },
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

  emit<E extends keyof PageEvents>(event: E, payload: PageEvents[E]): void {
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
      status: statusOf(run),
      activity: run.status === 'running' ? 'training' : run.status,
      etaSeconds: (run.history.totalSteps - run.step) * 0.103,
    });
  }

  /** A file of the installed compute engine is lost, and the page looks again. */
  damageEngine(): void {
    this.#compute.damage();
    this.emit('task:progress', { task: 'engine:install', message: 'looking', fraction: null });
  }

  /** The trainer dies. */
  crash(runId: string): void {
    const run = this.#run(runId);
    run.status = 'interrupted';
    run.message = 'The trainer ended with signal SIGKILL, most likely because memory ran out.';
    this.emit('trainer:exited', { runId, reason: run.message, resumable: true });
    this.emit('runs:changed', { runIds: [runId] });
  }

  /** The system kills the trainer because memory ran out; the host knows what would have fitted. */
  crashForMemory(runId: string): void {
    const run = this.#run(runId);
    const memory = { microBatch: 128, neededBytes: 5.2 * GIB, availableBytes: 3.1 * GIB, fits: 64, fitsBytes: 2.8 * GIB };
    run.extra.push({ kind: 'crash', step: run.step, segment: 0, time: timeAt(run.step, run.history), by: 'program', detail: { memory } });
    this.crash(runId);
  }

  /** The disk fills up; `isFull`: the next checkpoint did not fit, and the run paused for it. */
  fillDisk(runId: string, { isFull = false } = {}): void {
    const run = this.#run(runId);
    run.disk = { freeBytes: isFull ? 12 * MIB : 52 * MIB, checkpointBytes: 36 * MIB, isLow: true };
    const { freeBytes, checkpointBytes } = run.disk;
    this.#journal(runId, 'disk-low', { freeBytes, checkpointBytes }, 'program');
    if (!isFull) return;
    run.status = 'paused';
    run.message = `/data/runs/${runId}/checkpoints: checkpoint step-${run.step} needs 36.0 MiB, 12.0 MiB are free; free some space and resume`;
    this.#frame(runId, run, run.step);
  }

  /** The machine runs on battery from now on, or no more. */
  unplug(onBattery = true): void {
    this.shell.onBattery = onBattery;
    this.emit('power:changed', { onBattery });
  }

  /** The machine slept and wakes up. */
  sleep(runId: string, seconds: number): void {
    this.#journal(runId, 'slept', { seconds }, 'program');
  }

  propose(runId: string): void {
    this.emit('switch:proposed', { runId, step: this.#run(runId).step, dueStep: null });
  }

  #create(config: ConfigLike, status: RunStatus = 'running'): { runId: string } {
    const runId = `scripted-${++this.#created}`;
    this.#add({ runId, name: config.name || 'sample', config, atStep: status === 'running' ? 0 : 100_000, seed: 5, daysAgo: 0 }, status);
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
    const shell = this.#options.isDesktop && this.shell.handlers;
    const handlers = {
      ...this.handlers,
      ...this.#queue.handlers,
      ...this.#trash.handlers,
      ...this.exports.handlers,
      ...this.#compute.handlers,
      ...shell,
    };
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
    'app:describe': async () => {
      const own = [...this.#templates].map(([name, config]) => ({
        name,
        title: name,
        summary: 'A template of your own.',
        isOwn: true,
        config,
      }));
      const about = describeApp(this.#options.isDesktop ? 'desktop' : 'browser');
      return { ...about, ...this.#compute.about, presets: [...about.presets, ...own] };
    },
    'presets:save': async ({ name, config }) => void this.#templates.set(name, config),
    'presets:remove': async ({ name }) => void this.#templates.delete(name),
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
      const rows = [...this.#runs.values()].filter((run) => !run.trashed).map((run) => summaryOf(run));
      return [...rows, ...copiesOf(rows, this.#options.copies ?? 0)];
    },
    'runs:rename': async ({ runId, name }) => {
      this.#run(runId).config = { ...this.#run(runId).config, name };
    },
    'runs:annotate': async ({ runId, ...change }) => {
      Object.assign(this.#run(runId), change);
    },
    'bundle:write': async ({ file }) => ({ file: `/data/prelora/bundles/${file}`, bytes: 37 * MIB, steps: [2750], notes: [] }),
    'bundle:import': async ({ file }) => {
      if (!file.endsWith('.zip'))
        throw new PreloraError('unsafe-bundle', `${file}: bundle.json: is not the first member: this is no run bundle`, 'file');
      const config = { name: 'tulips', data: { source: '(folder "tulips", not on this machine)' } };
      const { runId } = this.#create(config, 'finished');
      const notes = ['its data did not come along (folder "tulips", not on this machine): name it before evaluating or resuming'];
      return { runId, name: 'tulips', folder: '/data/prelora/runs/tulips', notes };
    },
    'bundle:cancel': async () => {},
    'run:nameData': async ({ runId, source }) => {
      const run = this.#run(runId);
      run.config = { ...run.config, data: { ...run.config.data, source } };
      return { notes: [] };
    },
    'runs:compare': async ({ runIds, atStep }) =>
      compare(
        runIds.map((runId) => this.#compared(runId)),
        atStep,
      ),
    'storage:preview': async () => {
      const runs = [...this.#runs.values()].filter((run) => !run.trashed).map((run) => spaceOf(run));
      return { runs: runs.sort((a, b) => b.bytes - a.bytes), freeDiskBytes: 81 * GIB };
    },
    'storage:clean': async ({ runs }) => {
      let bytes = 0;
      for (const { runId, steps } of runs) {
        const run = this.#run(runId);
        bytes += spaceOf(run)
          .removable.filter(({ step }) => steps.includes(step))
          .reduce((sum, one) => sum + one.bytes, 0);
        run.cleaned = true;
      }
      return { bytes };
    },
    'storage:unpacked': async () => this.#unpacked,
    'storage:removeUnpacked': async ({ sources }) => {
      const doomed = this.#unpacked.filter(({ source }) => sources.includes(source));
      this.#unpacked = this.#unpacked.filter((one) => !doomed.includes(one));
      return { bytes: doomed.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
    'config:check': async ({ config }) => problems(config),
    'config:toYaml': async ({ config }) => ({ yaml: toYaml(config) }),
    'config:fromText': async ({ text }) => ({ config: fromYaml(text), notes: [] }),
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
    'data:augment': async ({ sample }) => augment(sample),
    'run:start': async ({ config }) => {
      const [problem] = problems(config);
      if (problem) throw new PreloraError('bad-config', problem.message, problem.field);
      return this.#create(config as ConfigLike);
    },
    'run:sample': async () => this.#create({ preset: 'sample', data: { source: 'sample' } }),
    'run:state': async ({ runId }) => stateOf(this.#run(runId), this.#options.classCount ?? null),
    'run:piece': async ({ runId, piece }) => piecesOf(this.#run(runId)).piece(piece),
    'run:facts': async ({ runId }) => factsOf(this.#run(runId), this.#options.classCount ?? null),
    'run:unsubscribe': async () => {},
    'frames:ack': async () => {},
    'run:pause': async ({ runId }) => this.#enter(runId, 'paused', 'paused'),
    'run:resume': async ({ runId }) => this.#enter(runId, 'running', 'resumed'),
    'run:advance': async ({ runId }) => this.#enter(runId, 'running', 'resumed'),
    'run:stop': async ({ runId, discard }) => {
      if (discard) this.#trash.put(runId);
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
    'switch:preview': async ({ runId, settings }) => previewOf(this.#run(runId), settings),
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
    replay: async ({ runId, settings }) => replayOf(this.#run(runId), settings),
    'replay:file': async ({ path, settings }) => {
      const run = this.#run('flowers-a');
      if (!path.includes('flowers')) throw new PreloraError('not-found', `${path}: not found; give a run folder or its snapshots.jsonl`);
      const { config, history, step } = run;
      const isOwnConfig = !path.endsWith('.jsonl');
      return { ...replayOf(run, settings), config, isOwnConfig, snapshots: history.snapshots.length, lastStep: step };
    },
    evaluate: async ({ runId, checkpoint }) => evaluate(this.#run(runId), checkpoint, this.#options.classCount ?? CLASS_NAMES.length),
    'run:merge': async ({ runId, checkpoint }) => {
      const run = this.#run(runId);
      if (phaseOf(run) === 'full')
        throw new PreloraError('bad-arguments', `step ${run.step} of ${runId} has no adapters: it is in phase full`, 'checkpoint');
      const step = typeof checkpoint === 'number' ? checkpoint : run.step;
      const checked = { images: 64, largestDifference: 3.1e-6, limit: 1.2e-4, changedClasses: 0, isEqual: true };
      return { step, adapters: 72, folder: `/data/prelora/runs/${runId}/merged/step-${step}`, bytes: 0.02 * GIB, ...checked };
    },
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
  } satisfies Omit<
    HandlersOf<typeof engineRequests>,
    keyof (ScriptedQueue['handlers'] & ScriptedTrash['handlers'] & ScriptedExports['handlers'] & ScriptedCompute['handlers'])
  >;

  #event(run: ScriptedRun, kind: string, detail: EventRecord['detail'], by: EventRecord['by'] = 'user'): EventRecord {
    return { kind, step: run.step, segment: 0, time: timeAt(run.step + run.extra.length, run.history), by, detail };
  }

  #journal(runId: string, kind: string, detail: EventRecord['detail'], by: EventRecord['by'] = 'user'): void {
    const run = this.#run(runId);
    const event = this.#event(run, kind, detail, by);
    run.extra.push(event);
    this.#frame(runId, run, run.step, [event]);
  }

  #enter(runId: string, status: RunStatus, kind: string): void {
    this.#run(runId).status = status;
    this.#journal(runId, kind, {});
    this.emit('runs:changed', { runIds: [runId] });
  }

  #compared(runId: string) {
    const { summary, epochs, ranks, phases } = stateOf(this.#run(runId), this.#options.classCount ?? null);
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
}

type ConfigLike = { preset?: string; name?: string; train?: object; model?: object; data?: object; prelora?: object };

/** Rows with names of their own, for a table of thousands. */
function copiesOf(rows: readonly RunSummary[], count: number): RunSummary[] {
  return Array.from({ length: count }, (_, i) => {
    const row = rows[i % rows.length] as RunSummary;
    return { ...row, runId: `copy-${i}`, status: { ...row.status, runId: `copy-${i}`, name: `copy ${i}` } };
  });
}
