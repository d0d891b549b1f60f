/** What a run leaves behind when it fails: the reason in its status and journal and, where the state can be trusted, a checkpoint. */
import os from 'node:os';
import { memoryShortage, shortageWords } from '../core/memoryShortage.ts';
import { isOnGpu } from '../engine/gpuMeter.ts';
import { isOutOfMemory } from '../engine/outOfMemory.ts';
import { PreloraError } from '../protocol/reply.ts';
import { isDiskFault } from '../store/diskFault.ts';
import type { TrainingRun } from './loop.ts';

/**
 * Records why the run failed and gives back the error to throw: `out-of-memory` with the micro-batch that would have fitted, else the error
 * itself. Best effort: when the disk is what failed, there is nothing to write to.
 */
export async function recordFailure(run: TrainingRun, error: unknown): Promise<unknown> {
  const fault = isOutOfMemory(error) ? shortOfMemory(run) : error;
  run.status = 'failed';
  run.message = fault instanceof Error ? fault.message : String(fault);
  // An update that ran out of memory may have moved some weights and not others.
  const isWhole = fault instanceof PreloraError && !isDiskFault(fault) && run.shortage === null;
  if (isWhole) await run.checkpoints.save().catch(() => false);
  try {
    run.journal('failed', 'program', { message: run.message, ...(run.shortage && { memory: run.shortage }) });
    await run.writeStatus({ now: true });
  } catch (unwritten) {
    console.error('the failure could not be recorded:', unwritten);
  }
  return fault;
}

/** Names the micro-batch that would have fitted. */
function shortOfMemory(run: TrainingRun): PreloraError {
  const ranks = Object.fromEntries(run.state.ranks.map(({ module, rank }) => [module, rank]));
  const available = isOnGpu(run.options.backend) ? null : os.freemem() + process.memoryUsage.rss();
  run.shortage = memoryShortage(run.config, run.state.phase.phase, ranks, available);
  return new PreloraError('out-of-memory', shortageWords(run.shortage), 'train.microBatch');
}
