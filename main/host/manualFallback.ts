/**
 * What happens to a proposal of manual switching that nobody answers while the queue works: after the stated minutes the run switches, or
 * trains on in full and asks no more. The journal says that it was the queue.
 */
import type { QueueFallback } from '../protocol/queue.ts';
import type { EventRecord } from '../protocol/records.ts';
import { readRecords } from '../store/runFolder.ts';
import type { RunCommand } from '../train/commands.ts';

export interface FallbackRun {
  dir: string;
  command(command: RunCommand): Promise<unknown>;
}

/** Journal records that answer a proposal. */
const ANSWERS = new Set(['switch-vetoed', 'switch-deferred', 'switch-triggered', 'switched', 'optimizer-reset']);

export class ManualFallback {
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly log: (message: string) => void) {}

  /** Starts the wait when the run's last proposal is unanswered; a later proposal starts it anew. */
  async arm(run: FallbackRun, fallback: QueueFallback): Promise<void> {
    if (!proposalStands(await readRecords(run.dir, 'events'))) return;
    this.disarm();
    this.#timer = setTimeout(() => {
      this.#fallBack(run, fallback).catch((error: unknown) => this.log(`queue: ${error instanceof Error ? error.message : error}`));
    }, fallback.minutes * 60_000);
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }

  async #fallBack(run: FallbackRun, { minutes, action }: QueueFallback): Promise<void> {
    if (!proposalStands(await readRecords(run.dir, 'events'))) return;
    const did = action === 'switch' ? 'switched' : 'trains on in full, without further proposals';
    await run.command({ kind: 'note', text: `Queue: no answer to the proposal for ${minutes} minutes; ${did}.` });
    if (action === 'switch') await run.command({ kind: 'switchNow' });
    else await run.command({ kind: 'edit', changes: { 'prelora.switching': 'off' }, extension: 'continue' });
  }
}

/** The journal's last proposal has no answer after it. */
export function proposalStands(events: readonly EventRecord[]): boolean {
  const last = events.findLastIndex(({ kind }) => kind === 'ready');
  const isAnswer = ({ kind, detail }: EventRecord): boolean =>
    ANSWERS.has(kind) || (kind === 'edited' && detail.field === 'prelora.switching');
  return last >= 0 && !events.slice(last + 1).some(isAnswer);
}
