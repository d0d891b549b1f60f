/** Work beside a live run: the run pauses at its next step boundary, keeps its model, and goes on afterwards as if nothing had been. */
import { PreloraError } from '../protocol/reply.ts';
import type { EngineHost } from './engineHost.ts';

/** Settles with the work. A run that is not live, or rests already, is left alone; one that ends meanwhile is no fault. */
export async function whilePaused<T>(host: EngineHost, runId: string, work: () => Promise<T>): Promise<T> {
  const live = host.liveRun(runId);
  const wasRunning = live?.status?.status === 'running';
  if (wasRunning) await live.command({ kind: 'pause' });
  try {
    return await work();
  } finally {
    if (wasRunning) await live.command({ kind: 'resume' }).catch(ignoreGone);
  }
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof PreloraError)) throw error;
}
