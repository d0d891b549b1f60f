/** By what id a run folder is known. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CREATED_EVENT, STATUS_FILE, streamRecords } from './runFolder.ts';

/** From status.json, which is there after the first step, else from the journal, else the folder's name. */
export async function readRunId(dir: string): Promise<string> {
  try {
    const status: unknown = JSON.parse(await readFile(path.join(dir, STATUS_FILE), 'utf8'));
    const { runId } = (status ?? {}) as { runId?: unknown };
    if (typeof runId === 'string' && runId !== '') return runId;
  } catch {
    // Not written yet, or damaged: the journal knows as well.
  }
  try {
    for await (const { kind, detail } of streamRecords(dir, 'events')) {
      if (kind === CREATED_EVENT && typeof detail.runId === 'string') return detail.runId;
    }
  } catch {
    // A damaged journal: the run keeps a row in the table, by its folder's name.
  }
  return path.basename(dir);
}
