/** Whether a run last ended for want of memory, read off its journal: so a page that comes later knows it as well. */
import { type EventRecord, MemoryShortage } from '../../main/protocol/records.ts';

const ENDS_OR_BEGINS: ReadonlySet<string> = new Set(['crash', 'failed', 'resumed', 'started']);

export function openShortage(events: readonly EventRecord[]): MemoryShortage | null {
  const told = MemoryShortage.safeParse(events.findLast(({ kind }) => ENDS_OR_BEGINS.has(kind))?.detail.memory);
  return told.success ? told.data : null;
}
