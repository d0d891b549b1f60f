/**
 * A whole PreLoRA run made from formulas: 12 layers × 6 families whose norms settle at different speeds, losses, snapshots, epochs,
 * phases and journal. Deterministic; the page is built and tested on it without training anything.
 */
import { phaseCost } from '../../../main/core/cost.ts';
import { allModules, parseModuleName } from '../../../main/core/modules.ts';
import { previewSwitch, type SwitchPreview } from '../../../main/core/preview.ts';
import { parseConfig, resolveWithData } from '../../../main/core/resolveConfig.ts';
import type { ResolvedConfig, RunConfigInput } from '../../../main/protocol/config.ts';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../../../main/protocol/records.ts';
import type { Phase } from '../../../main/protocol/run.ts';

export const CLASS_NAMES = ['T-shirt', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];
export const DATA_FACTS = { trainCount: 32_000, channels: 1, numClasses: 10, mean: [0.286], std: [0.353] };
export const GIB = 2 ** 30;
const START = Date.parse('2026-11-23T08:00:00Z');
/** What the page's clock stands at (build/scriptedPage.mjs), which is not set yet while this is loaded. */
export const NOW = Date.parse('2026-11-23T08:22:00Z');

export interface RunPlan {
  runId: string;
  name: string;
  config: RunConfigInput;
  /** Where the run stands. */
  atStep: number;
  seed: number;
  daysAgo: number;
  /** It computes on a GPU whose driver tells. */
  onGpu?: boolean;
}

export interface History {
  plan: RunPlan;
  config: ResolvedConfig;
  stepsPerEpoch: number;
  totalSteps: number;
  switchStep: number | null;
  freezeStep: number | null;
  preview: SwitchPreview | null;
  ranks: RanksFile | null;
  metrics: MetricsRecord[];
  epochs: EpochRecord[];
  snapshots: SnapshotRecord[];
  events: EventRecord[];
}

/** Repeatable noise in −1…1 (mulberry32 on a hash of its arguments). */
export function noise(...parts: number[]): number {
  let a = parts.reduce((hash, part) => Math.imul(hash ^ (part + 0x9e3779b9), 0x85ebca6b), 0x12345);
  a = Math.imul(a ^ (a >>> 15), 1 | a);
  a ^= a + Math.imul(a ^ (a >>> 7), 61 | a);
  return ((a ^ (a >>> 14)) >>> 0) / 2 ** 31 - 1;
}

export function makeHistory(plan: RunPlan): History {
  const config = resolveWithData(parseConfig({ name: plan.name, ...plan.config }), DATA_FACTS);
  const stepsPerEpoch = Math.floor(DATA_FACTS.trainCount / config.train.batchSize);
  const totalSteps = stepsPerEpoch * config.train.epochs;
  const every = stepsOf(config.prelora.snapshotEvery, stepsPerEpoch);
  const snapshotSteps = Array.from({ length: Math.floor(totalSteps / every) }, (_, i) => (i + 1) * every);
  const whole = snapshotSteps.map((step) => snapshot(step, { phase: 'full', seed: plan.seed, stepsPerEpoch, totalSteps, config }));
  const switched = findSwitch(whole, config, { stepsPerEpoch, totalSteps });
  const freezeStep = switched.step === null ? null : switched.step + stepsOf(config.prelora.jointSteps, stepsPerEpoch);
  const phaseAt = (step: number): Phase =>
    switched.step === null || step <= switched.step ? 'full' : freezeStep === null || step <= freezeStep ? 'warmup' : 'lora';
  const history: History = {
    plan,
    config,
    stepsPerEpoch,
    totalSteps,
    switchStep: switched.step,
    freezeStep,
    preview: switched.preview,
    ranks: switched.ranks,
    metrics: [],
    epochs: [],
    snapshots: snapshotSteps.map((step) => snapshot(step, { phase: phaseAt(step), seed: plan.seed, stepsPerEpoch, totalSteps, config })),
    events: [],
  };
  for (let step = 10; step <= totalSteps; step += 10) history.metrics.push(metric(step, phaseAt(step), history));
  for (let epoch = 1; epoch <= config.train.epochs; epoch++)
    history.epochs.push(epochRecord(epoch, phaseAt(epoch * stepsPerEpoch), history));
  history.events = events(history);
  return history;
}

function stepsOf(duration: number | string, stepsPerEpoch: number): number {
  return typeof duration === 'number' ? duration : Math.max(1, Math.round(Number.parseFloat(duration) * stepsPerEpoch));
}

function findSwitch(
  snapshots: SnapshotRecord[],
  config: ResolvedConfig,
  length: { stepsPerEpoch: number; totalSteps: number },
): { step: number | null; preview: SwitchPreview | null; ranks: RanksFile | null } {
  const preview = previewSwitch({ snapshots, present: config, proposed: config, length });
  if (config.prelora.switching !== 'auto' || preview.switchStep === null) return { step: null, preview, ranks: null };
  const step = preview.switchStep;
  const upTo = snapshots.filter((record) => record.step <= step);
  const then = previewSwitch({ snapshots: upTo, present: config, proposed: config, length });
  return { step, preview: then, ranks: then.plan && ranksFile(step, then) };
}

export function ranksFile(step: number, { plan }: SwitchPreview): RanksFile | null {
  if (!plan) return null;
  const { modules, adapterParameters, trainableAfterFreeze, share } = plan;
  return { step, reason: 'rule', modules, adapterParameters, trainableAfterFreeze, share };
}

interface SnapshotPlace {
  phase: Phase;
  seed: number;
  stepsPerEpoch: number;
  totalSteps: number;
  config: ResolvedConfig;
}

const FAMILY_PACE = { q: 1, k: 0.8, v: 1.35, proj: 1.15, fc1: 1.75, fc2: 1.5 } as const;

/** A norm that grows towards its limit, each module at its own pace: deep layers of q and k settle first, fc1 last. */
function normAt(module: string, step: number, seed: number, totalSteps: number): number {
  const place = parseModuleName(module);
  if (!place) return 1;
  const { layer, family } = place;
  const index = Object.keys(FAMILY_PACE).indexOf(family);
  const pace = FAMILY_PACE[family] * (1 + 0.45 * Math.sin(layer * 0.9 + index)) * (1.25 - 0.04 * layer);
  const time = 0.042 * pace * totalSteps;
  const limit = 30 + 4 * index + 1.7 * layer + 3 * noise(seed, layer, index);
  const growth = 0.4 + 0.45 * (1 - Math.exp(-step / time)) + 0.15 * (1 - Math.exp(-step / (0.3 * totalSteps)));
  return limit * growth * (1 + 0.0006 * noise(seed, step, layer, index));
}

function snapshot(step: number, place: SnapshotPlace): SnapshotRecord {
  const modules: SnapshotRecord['modules'] = {};
  const every = step === 0 ? 1 : stepsOf(place.config.prelora.snapshotEvery, place.stepsPerEpoch);
  allModules(place.config.model.depth).forEach((module, index) => {
    const weightNorm = normAt(module, step, place.seed, place.totalSteps);
    const before = normAt(module, step - every, place.seed, place.totalSteps);
    const calm = place.phase === 'lora' ? 0.4 : 1;
    modules[module] = {
      weightNorm,
      gradNorm: calm * (0.02 + 0.3 * Math.exp(-step / (0.2 * place.totalSteps))) * (1 + 0.2 * noise(place.seed, step, index, 7)),
      displacement: step === every ? null : Math.abs(weightNorm - before) * 1.6 + 0.05,
    };
  });
  return { step, epoch: step / place.stepsPerEpoch, phase: place.phase, segment: 0, loss: lossAt(step, place.totalSteps), modules };
}

function lossAt(step: number, totalSteps: number): number {
  return 0.38 + 1.95 * Math.exp(-step / (0.09 * totalSteps)) + 0.16 * (1 - step / totalSteps);
}

function metric(step: number, phase: Phase, { plan, config, totalSteps, stepsPerEpoch }: History): MetricsRecord {
  const speed = { full: 1240, warmup: 1190, lora: 1560 }[phase] * (1 + 0.02 * noise(plan.seed, step, 1));
  const warmup = config.train.lrWarmupSteps === null ? 0 : stepsOf(config.train.lrWarmupSteps, stepsPerEpoch);
  const cosine = 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / (totalSteps - warmup)));
  return {
    step,
    epoch: step / stepsPerEpoch,
    phase,
    segment: 0,
    loss: lossAt(step, totalSteps) * (1 + 0.09 * noise(plan.seed, step)),
    lr: config.train.lr * (step < warmup ? step / warmup : cosine),
    imagesPerSecond: speed,
    stepMs: (1000 * config.train.batchSize) / speed,
    dataWaitMs: 4 + 2 * noise(plan.seed, step, 3),
    memoryBytes: { full: 5.2, warmup: 5.33, lora: 5.15 }[phase] * GIB + 0.05 * GIB * noise(plan.seed, Math.floor(step / 100), 4),
    gradNorm: 0.6 + Math.exp(-step / 500) + 0.2 * noise(plan.seed, step, 5),
    ...(plan.onGpu && { gpuUse: gpuUseAt(step, plan), gpuMemoryBytes: GPU_BYTES[phase] }),
  };
}

export const GPU_BYTES = { full: 6.44 * GIB, warmup: 6.51 * GIB, lora: 6.51 * GIB } as const;

export function gpuUseAt(step: number, { seed }: RunPlan): number {
  return Math.min(1, 0.91 + 0.06 * noise(seed, step, 8));
}

function epochRecord(epoch: number, phase: Phase, { plan, config, totalSteps, stepsPerEpoch }: History): EpochRecord {
  const step = epoch * stepsPerEpoch;
  const top1 = 0.905 - 0.5 * Math.exp(-step / (0.08 * totalSteps)) + 0.006 * noise(plan.seed, epoch, 11);
  const speed = { full: 1240, warmup: 1190, lora: 1560 }[phase];
  return {
    epoch,
    step,
    phase,
    segment: 0,
    trainLoss: lossAt(step, totalSteps),
    trainTop1: top1 - 0.03,
    valLoss: lossAt(step, totalSteps) * 0.92 + 0.02 * noise(plan.seed, epoch, 12),
    valTop1: top1,
    valTop5: 0.995 - 0.2 * Math.exp(-step / (0.05 * totalSteps)),
    seconds: DATA_FACTS.trainCount / speed,
    imagesPerSecond: speed,
    peakMemoryBytes: { full: 5.31, warmup: 5.38, lora: 5.24 }[phase] * GIB,
    lr: config.train.lr,
  };
}

export function timeAt(step: number, { plan }: History): string {
  return new Date(START - plan.daysAgo * 86_400_000 + step * 100).toISOString();
}

function events(history: History): EventRecord[] {
  const { config, switchStep, freezeStep, ranks, totalSteps } = history;
  const event = (step: number, kind: string, by: EventRecord['by'], detail: EventRecord['detail'] = {}): EventRecord => ({
    kind,
    step,
    segment: 0,
    time: timeAt(step, history),
    by,
    detail,
  });
  const early = Math.round(totalSteps * 0.06);
  const list = [
    event(0, 'started', 'program', { backend: 'tensorflow', device: 'CPU', parameters: 2_694_922 }),
    event(early, 'edited', 'user', { field: 'prelora.tau', from: 1.2, to: config.prelora.tau }),
    event(early * 2, 'paused', 'user'),
    event(early * 2, 'resumed', 'user'),
    event(early * 3, 'note', 'user', { text: 'Looks calmer than the last run; deep layers first.' }),
  ];
  if (switchStep !== null) {
    list.push(event(switchStep, 'switch-planned', 'rule', { words: '6 of 6 families below τ in 2 of 2 comparisons' }));
    list.push(event(switchStep, 'switched', 'rule', { adapterParameters: ranks?.adapterParameters ?? 0 }));
  }
  if (freezeStep !== null) list.push(event(freezeStep, 'frozen', 'rule', { switchStep }));
  list.push(event(totalSteps, 'finished', 'program'));
  return list.sort((a, b) => a.step - b.step);
}

/** Cost of a phase as the protocol tells it. */
export function protocolCost(config: ResolvedConfig, phase: Phase, ranks: Record<string, number>, imagesPerSecond: number | null) {
  const cost = phaseCost(config, phase, ranks, config.train.microBatch);
  return {
    trainableParameters: cost.parameters.trainable,
    multiplyAdds: cost.multiplyAdds.total,
    weightBytes: cost.memory.weights,
    gradientBytes: cost.memory.gradients,
    optimizerBytes: cost.memory.moments,
    activationBytes: cost.memory.activationsEstimate,
    workspaceBytes: 0.3 * GIB,
    totalBytes: cost.memory.totalEstimate + 0.3 * GIB,
    imagesPerSecond,
    measured: false,
  };
}

/** A loss that is no number, metrics and accuracies that are missing, a kind of event nobody knows, a clock that jumps back. */
export function makeOdd({ metrics, epochs, events }: History): void {
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
