/**
 * The queue on disk: `queue/queue.json` beside the runs, replaced atomically, and a lock beside it, because one process at a time works a
 * queue off.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { QUEUE_VERSION, QueueFile } from '../protocol/queue.ts';
import { PreloraError } from '../protocol/reply.ts';
import { writeJsonAtomically } from './atomicFile.ts';
import { systemCode } from './diskFault.ts';
import { firstIssue, parseJson, type Schema } from './json.ts';

const FILE = 'queue.json';

export const EMPTY_QUEUE: QueueFile = { version: QUEUE_VERSION, paused: false, startAt: null, entries: [] };

/** The queue in `folder`; an empty one when there is none. Throws `run-damaged` with field and rule for a file that is none of ours. */
export async function readQueue(folder: string): Promise<QueueFile> {
  const file = path.join(folder, FILE);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return EMPTY_QUEUE;
  const parsed = (QueueFile as Schema<QueueFile>).safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new PreloraError('run-damaged', `${file}: ${firstIssue(parsed.error.issues)}`);
}

/** Replaces the queue as a whole. Throws `disk-full` or `not-writable` and leaves the old one. */
export async function writeQueue(folder: string, queue: QueueFile): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeJsonAtomically(path.join(folder, FILE), queue);
}

/** Takes a file that cannot be read out of the way, for its owner to look at, and gives its new place. */
export async function setAsideQueue(folder: string, now: Date): Promise<string> {
  const aside = path.join(folder, `queue.damaged-${now.toISOString().replaceAll(/[:.]/g, '-')}.json`);
  await rename(path.join(folder, FILE), aside);
  return aside;
}
