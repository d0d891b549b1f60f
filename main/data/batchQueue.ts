/** A few batches in the making, given out in the order of their tasks; memory of batches that were given back is used again. */
import type { ResolvedConfig } from '../protocol/config.ts';
import { type BatchRunner, createBatchRunner } from './batchRunner.ts';
import type { BatchRecipe, BatchTask, BuiltBatch } from './buildBatch.ts';
import type { Split } from './images.ts';

export interface QueueOptions {
  tasks: Iterator<BatchTask>;
  /** Threads; 0 builds in the calling thread. */
  workers: number;
}

export interface QueueEntry {
  task: BatchTask;
  built: BuiltBatch;
}

/** Keeps up to data.prefetch batches in the making; without workers one is made when it is asked for. */
export class BatchQueue {
  private readonly tasks: Iterator<BatchTask>;
  private readonly runner: BatchRunner;
  private readonly depth: number;
  private readonly pending: Promise<QueueEntry>[] = [];
  private readonly free: ArrayBuffer[] = [];

  constructor(split: Split, config: ResolvedConfig, { tasks, workers }: QueueOptions) {
    this.tasks = tasks;
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
