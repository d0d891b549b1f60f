/**
 * Where batches are built: in the calling thread, or in worker threads that share the packed pixels and hand their batches back
 * without a copy. Answers may come in any order; who asks keeps the promises in order.
 */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, PreloraError } from '../protocol/reply.ts';
import { BatchBuilder, type BatchRecipe, type BatchTask, type BuiltBatch } from './buildBatch.ts';
import type { Split } from './images.ts';

export interface BatchRunner {
  build(task: BatchTask): Promise<BuiltBatch>;
  /** Stops at once; batches still being built are rejected with `interrupted`. */
  close(): Promise<void>;
}

/** What a worker is started with. */
export interface WorkerStart {
  split: Split;
  recipe: BatchRecipe;
}

export interface WorkerRequest {
  id: number;
  task: BatchTask;
}

export type WorkerReply = { id: number; built: BuiltBatch } | { id: number; error: { code: ErrorCode; message: string; field?: string } };

interface Waiting {
  settle(built: BuiltBatch): void;
  fail(error: PreloraError): void;
}

export function createBatchRunner(split: Split, recipe: BatchRecipe, workers: number): BatchRunner {
  if (workers > 0) return new WorkerPool(split, recipe, workers);
  const builder = new BatchBuilder(split, recipe);
  return { build: (task) => builder.build(task), close: async () => {} };
}

/** One thread and the batches it has been asked for. */
class BatchWorker {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 0;

  constructor(start: WorkerStart) {
    // execArgv is emptied so that the flags of a debugger or a test runner do not reach the thread.
    this.worker = new Worker(workerEntry(), { workerData: start, execArgv: [] });
    this.worker.on('message', (reply: WorkerReply) => this.receive(reply));
    this.worker.on('error', (error) => this.failAll(new PreloraError('internal', `data worker failed: ${error.message}`)));
    this.worker.on('exit', (status) => this.failAll(new PreloraError('interrupted', `data worker ended with status ${status}`)));
  }

  get load(): number {
    return this.waiting.size;
  }

  build(task: BatchTask): Promise<BuiltBatch> {
    const id = this.nextId++;
    return new Promise((settle, fail) => {
      this.waiting.set(id, { settle, fail });
      this.worker.postMessage({ id, task } satisfies WorkerRequest, task.buffer ? [task.buffer] : []);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private receive(reply: WorkerReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('built' in reply) waiting?.settle(reply.built);
    else waiting?.fail(new PreloraError(reply.error.code, reply.error.message, reply.error.field));
  }

  private failAll(error: PreloraError): void {
    for (const waiting of this.waiting.values()) waiting.fail(error);
    this.waiting.clear();
  }
}

class WorkerPool implements BatchRunner {
  private readonly workers: BatchWorker[];

  constructor(split: Split, recipe: BatchRecipe, count: number) {
    this.workers = Array.from({ length: count }, () => new BatchWorker({ split, recipe }));
  }

  build(task: BatchTask): Promise<BuiltBatch> {
    const idlest = this.workers.reduce((best, worker) => (worker.load < best.load ? worker : best));
    return idlest.build(task);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }
}

/** The transpiled worker beside this module, or in dist/ when this module itself runs as TypeScript (tests). */
function workerEntry(): URL {
  const own = import.meta.url;
  const dist = own.endsWith('.ts') ? own.replace(/\/main\/data\/[^/]*$/, '/dist/main/data/') : own;
  return new URL('./batchWorker.js', dist);
}
