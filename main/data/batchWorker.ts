/** Entry of a data worker thread: builds the batches it is asked for, one at a time, and transfers them back. See batchRunner.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { PreloraError } from '../protocol/reply.ts';
import type { WorkerReply, WorkerRequest, WorkerStart } from './batchRunner.ts';
import { BatchBuilder } from './buildBatch.ts';

const { split, recipe } = workerData as WorkerStart;
const builder = new BatchBuilder(split, recipe);
let previous: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: WorkerRequest) => {
  previous = previous.then(() => answer(request));
});

async function answer({ id, task }: WorkerRequest): Promise<void> {
  try {
    const built = await builder.build(task);
    const memory = [built.patches, built.targets, built.labels, built.samples].map((array) => array.buffer);
    parentPort?.postMessage({ id, built } satisfies WorkerReply, memory);
  } catch (error) {
    const { code, message, field } =
      error instanceof PreloraError ? error : new PreloraError('internal', `data worker: ${(error as Error).message}`);
    parentPort?.postMessage({ id, error: { code, message, field } } satisfies WorkerReply);
  }
}
