/**
 * The streams of batches that training and evaluation read. Training batches never end, can start at any update, and are the same
 * for any number of workers and after any resume; evaluation gives every validation image exactly once.
 */
import { availableParallelism } from 'node:os';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { type PlannedBatch, planBatches } from './batchPlan.ts';
import { BatchQueue, type QueueEntry } from './batchQueue.ts';
import { brokenLimit } from './brokenLimit.ts';
import type { BatchTask, ReplacedImage } from './buildBatch.ts';
import type { Dataset } from './dataset.ts';
import { canConvertChannels, type Split } from './images.ts';

/** Input of one forward pass in training. */
export interface Batch {
  /** The update it belongs to, the one from `step` to `step + 1`; and which micro-batch of it, both from 0. */
  step: number;
  micro: number;
  /** Samples; fewer than microBatch only at the end of an epoch with dropLast off. */
  count: number;
  /** [count, tokens − 1, P·P·K], normalised; row of a patch (ky·P + kx)·K + k. */
  patches: Float32Array;
  /** [count, classes], smoothed and mixed; every row sums to 1. */
  targets: Float32Array;
  /** Class of each sample before mixing. */
  labels: Int32Array;
  /** Places of the samples in the training split. */
  sampleIds: Uint32Array;
  /** Images that could not be read and were replaced by others of their class; to be journalled. */
  replaced: readonly ReplacedImage[];
  /** How long `next()` waited for it, milliseconds. */
  waitMs: number;
}

export interface EvalBatch {
  count: number;
  /** [count, tokens − 1, P·P·K], normalised. */
  patches: Float32Array;
  labels: Int32Array;
  sampleIds: Uint32Array;
  /** Images that could not be read and are left out. */
  replaced: readonly ReplacedImage[];
}

export interface TrainBatches {
  /**
   * The next micro-batch, in order and without end. Throws data-too-many-broken when more images became unreadable than
   * data.maxBroken allows, and interrupted after close().
   */
  next(): Promise<Batch>;
  /** Gives a batch's memory back for a later one; its `patches` must not be used afterwards. Optional. */
  recycle(batch: Batch): void;
  close(): Promise<void>;
}

const MAX_DEFAULT_WORKERS = 4;
/** About a tenth of a second of preparation. */
const QUICK_PIXELS = 8_000_000;

/** Threads used when data.workers is empty: one core stays free for the training thread. */
export function defaultWorkers(): number {
  return Math.min(MAX_DEFAULT_WORKERS, Math.max(1, availableParallelism() - 1));
}

function workersOf(config: ResolvedConfig): number {
  return config.data.workers ?? defaultWorkers();
}

/** Whether a whole pass takes less time than starting threads for it: packed images and few pixels to prepare. */
function isQuick({ images, count }: Split, imageSize: number): boolean {
  return images.kind === 'packed' && count * imageSize ** 2 < QUICK_PIXELS;
}

/** Opens the training batches at update `fromStep`. The caller closes the stream. Throws bad-config when the sizes do not fit the data. */
export function openTrainBatches(dataset: Dataset, config: ResolvedConfig, { fromStep = 0 } = {}): TrainBatches {
  checkModel(dataset, config);
  const { count } = dataset.train;
  const plan = planBatches(count, config.train, fromStep);
  return new TrainStream(
    new BatchQueue(dataset.train, config, { tasks: trainTasks(plan), workers: workersOf(config) }),
    brokenLimit(count, config.data.maxBroken),
  );
}

/** Every validation image once, in order, `batchSize` at a time; closing the loop early is fine. */
export async function* openEvalBatches(dataset: Dataset, config: ResolvedConfig, batchSize: number): AsyncGenerator<EvalBatch, void> {
  checkModel(dataset, config);
  const workers = isQuick(dataset.val, config.model.imageSize) ? 0 : workersOf(config);
  const queue = new BatchQueue(dataset.val, config, { tasks: evalTasks(dataset.val.count, batchSize), workers });
  try {
    for (let entry = await queue.next(); entry; entry = await queue.next()) {
      const { patches, labels, samples, replaced } = entry.built;
      if (labels.length > 0) yield { count: labels.length, patches, labels, sampleIds: samples, replaced };
    }
  } finally {
    await queue.close();
  }
}

function* trainTasks(plan: Iterable<PlannedBatch>): Generator<BatchTask> {
  for (const { step, micro, samples } of plan) yield { purpose: 'train', step, micro, samples };
}

function* evalTasks(count: number, batchSize: number): Generator<BatchTask> {
  for (let start = 0; start < count; start += batchSize) {
    const samples = Uint32Array.from({ length: Math.min(batchSize, count - start) }, (_, i) => start + i);
    yield { purpose: 'eval', step: 0, micro: start / batchSize, samples };
  }
}

/** The model must take the channels, and have the classes, that the data can give. */
function checkModel(dataset: Dataset, { model, data }: ResolvedConfig): void {
  const { channels, classNames } = dataset;
  if (!canConvertChannels(channels, model.inChannels)) {
    const message = `model.inChannels is ${model.inChannels}, but the images have ${channels}`;
    throw new PreloraError('bad-config', message, 'model.inChannels');
  }
  for (const field of ['mean', 'std'] as const) {
    if (data[field].length === model.inChannels) continue;
    const message = `data.${field} has ${data[field].length} values; model.inChannels ${model.inChannels} needs as many`;
    throw new PreloraError('bad-config', message, `data.${field}`);
  }
  if (classNames.length > model.numClasses) {
    const message = `model.numClasses ${model.numClasses} is less than the ${classNames.length} classes of the data`;
    throw new PreloraError('bad-config', message, 'model.numClasses');
  }
}

class TrainStream implements TrainBatches {
  private readonly broken = new Set<string>();
  private closed = false;

  constructor(
    private readonly queue: BatchQueue,
    private readonly limit: number,
  ) {}

  async next(): Promise<Batch> {
    if (this.closed) throw new PreloraError('interrupted', 'the training batches were closed');
    const started = performance.now();
    const entry = (await this.queue.next()) as QueueEntry; // training tasks never end
    const { patches, targets, labels, samples, replaced } = entry.built;
    return {
      step: entry.task.step,
      micro: entry.task.micro,
      count: labels.length,
      patches,
      targets,
      labels,
      sampleIds: samples,
      replaced: this.firstTold(replaced),
      waitMs: performance.now() - started,
    };
  }

  recycle(batch: Batch): void {
    this.queue.recycle(batch.patches.buffer);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue.close();
  }

  /** Each broken image is told once, however often its turn comes. */
  private firstTold(replaced: readonly ReplacedImage[]): readonly ReplacedImage[] {
    const fresh = replaced.filter(({ path }) => !this.broken.has(path));
    for (const { path } of fresh) this.broken.add(path);
    const [first] = fresh;
    if (first && this.broken.size > this.limit) {
      const message = `${this.broken.size} images became unreadable, limit ${this.limit}; latest: ${first.path}: ${first.reason}`;
      throw new PreloraError('data-too-many-broken', message, 'data.maxBroken');
    }
    return fresh;
  }
}
