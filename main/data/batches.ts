/**
 * The streams of batches that training and evaluation read. Training batches never end, can start at any update, and are the same
 * for any number of workers and after any resume; evaluation gives every validation image exactly once.
 */
import { availableParallelism } from 'node:os';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { type PlannedBatch, planBatches } from './batchPlan.ts';
import { type BatchRunner, createBatchRunner } from './batchRunner.ts';
import { brokenLimit } from './brokenLimit.ts';
import type { BatchRecipe, BatchTask, BuiltBatch, ReplacedImage } from './buildBatch.ts';
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

/** Threads used when data.workers is empty: one core stays free for the training thread. */
export function defaultWorkers(): number {
  return Math.min(MAX_DEFAULT_WORKERS, Math.max(1, availableParallelism() - 1));
}

/** Opens the training batches at update `fromStep`. The caller closes the stream. Throws bad-config when the sizes do not fit the data. */
export function openTrainBatches(dataset: Dataset, config: ResolvedConfig, { fromStep = 0 } = {}): TrainBatches {
  checkModel(dataset, config);
  const { count } = dataset.train;
  const plan = planBatches(count, config.train, fromStep);
  return new TrainStream(new BatchQueue(dataset.train, config, trainTasks(plan)), brokenLimit(count, config.data.maxBroken));
}

/** Every validation image once, in order, `batchSize` at a time; closing the loop early is fine. */
export async function* openEvalBatches(dataset: Dataset, config: ResolvedConfig, batchSize: number): AsyncGenerator<EvalBatch, void> {
  checkModel(dataset, config);
  const queue = new BatchQueue(dataset.val, config, evalTasks(dataset.val.count, batchSize));
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

interface QueueEntry {
  task: BatchTask;
  built: BuiltBatch;
}

/** Keeps up to data.prefetch batches in the making and gives them out in the order of their tasks. */
class BatchQueue {
  private readonly runner: BatchRunner;
  private readonly depth: number;
  private readonly pending: Promise<QueueEntry>[] = [];
  private readonly free: ArrayBuffer[] = [];

  constructor(
    split: Split,
    config: ResolvedConfig,
    private readonly tasks: Iterator<BatchTask>,
  ) {
    const workers = config.data.workers ?? defaultWorkers();
    const recipe: BatchRecipe = { seed: config.train.seed, model: config.model, data: config.data };
    this.runner = createBatchRunner(split, recipe, workers);
    this.depth = workers === 0 ? 1 : config.data.prefetch;
    if (workers > 0) this.fill();
  }

  async next(): Promise<QueueEntry | null> {
    this.fill();
    const entry = await this.pending.shift();
    return entry ?? null;
  }

  recycle(memory: ArrayBufferLike): void {
    if (memory instanceof ArrayBuffer && this.free.length < this.depth) this.free.push(memory);
  }

  async close(): Promise<void> {
    await this.runner.close();
  }

  private fill(): void {
    while (this.pending.length < this.depth) {
      const { value: task, done } = this.tasks.next();
      if (done) return;
      const building = this.runner.build({ ...task, buffer: this.free.pop() }).then((built) => ({ task, built }));
      building.catch(() => {}); // told to whoever awaits it; until then it must not count as unhandled
      this.pending.push(building);
    }
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
