/**
 * What is written into a run's folder when its trainer went without a word: the crash in the journal, the reason in the status, and, where memory
 * was what failed, the micro-batch that would have fitted.
 */
import os from 'node:os';
import { memoryShortage, shortageWords } from '../core/memoryShortage.ts';
import { isOutOfMemory } from '../engine/outOfMemory.ts';
import type { EventRecord, MemoryShortage } from '../protocol/records.ts';
import type { Phase } from '../protocol/run.ts';
import { readConfig, readLast, readRanks, readStatus } from '../store/runFolder.ts';
import { openRun } from '../store/runStore.ts';

export interface Death {
  /** In words, as the process or thread ended. */
  reason: string;
  /** The system says that it killed a process for want of memory meanwhile. */
  wasKilledForMemory: boolean;
}

/** Gives back the reason in words, with where a resume begins. Throws what opening the run throws. */
export async function recordCrash(dir: string, death: Death): Promise<string> {
  const checkpoint = await readLast(dir);
  const status = await readStatus(dir);
  const memory = await shortageOf(dir, death, status?.phase ?? 'full');
  const { reason } = death;
  const words = crashWords(memory ? `${reason}, most likely because ${shortageWords(memory)}` : reason, checkpoint);
  const store = await openRun(dir);
  try {
    const event: EventRecord = {
      kind: 'crash',
      step: status?.step ?? 0,
      segment: status?.segment ?? 0,
      time: new Date().toISOString(),
      by: 'program',
      detail: { reason, checkpoint, ...(memory && { memory }) },
    };
    store.appendEvent(event);
    if (status) await store.writeStatus({ ...status, status: 'interrupted', message: words });
  } finally {
    store.close();
  }
  return words;
}

/** Null when memory was not what failed. */
async function shortageOf(dir: string, { reason, wasKilledForMemory }: Death, phase: Phase): Promise<MemoryShortage | null> {
  // A thread may exhaust its own heap, whose size nobody tells here.
  if (!wasKilledForMemory && !isOutOfMemory(new Error(reason))) return null;
  const ranks = phase === 'full' ? [] : ((await readRanks(dir))?.modules ?? []);
  const plan = Object.fromEntries(ranks.map(({ module, rank }) => [module, rank]));
  // The trainer is gone, so what is free now is what it could have had.
  return memoryShortage(await readConfig(dir), phase, plan, wasKilledForMemory ? os.freemem() : null);
}

function crashWords(reason: string, checkpoint: number | null): string {
  const from = checkpoint === null ? 'it begins again from step 0' : `it goes on from the checkpoint of step ${checkpoint}`;
  return `${reason}; when resumed, ${from}`;
}
