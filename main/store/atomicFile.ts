/**
 * Replaces a file as a whole: written beside, fsynced, renamed over, parent folder fsynced. A reader, or a crash at any moment,
 * sees the old content or the new one, never a mixture. formats.md section 12.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskFault, systemCode } from './diskFault.ts';
import { toJson } from './json.ts';

const RENAME_TRIES = 10;
const RENAME_PAUSE_MS = 100;

/** Replaces `file` with `content`. Throws `disk-full` or `not-writable` and leaves the old file as it was. */
export async function writeFileAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const beside = temporaryName(file);
  try {
    const handle = await open(beside, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await renameWithRetries(beside, file);
    await syncFolder(path.dirname(file));
  } catch (error) {
    await rm(beside, { force: true });
    throw diskFault(error, file);
  }
}

/** Replaces `file` with readable JSON (two spaces, line end). */
export async function writeJsonAtomically(file: string, value: unknown): Promise<void> {
  await writeFileAtomically(file, `${toJson(value, 2)}\n`);
}

/** A hidden name beside `file` that says which process made it: `.status.json.4711.9f3a01bc.tmp`. */
export function temporaryName(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
}

/** The process that made a name of the form `.{name}.{pid}[.{random}].tmp`, or null when it is none. */
export function temporaryOwner(name: string): number | null {
  const match = /^\..+?\.(\d+)(?:\.[0-9a-f]{8})?\.tmp$/.exec(name);
  return match ? Number(match[1]) : null;
}

/** Makes a rename inside `folder` outlast a power cut. Windows cannot open folders and keeps its own journal. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse fsync on folders; nothing more can be done there.
    if (systemCode(error) !== 'EINVAL') throw error;
  } finally {
    await handle?.close();
  }
}

/** Renames. On Windows a virus scanner or indexer may hold the target for a moment: EPERM and EBUSY are tried again for a second. */
export async function renameWithRetries(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const passing = process.platform === 'win32' && ['EPERM', 'EBUSY', 'EACCES'].includes(systemCode(error) ?? '');
      if (!passing || attempt === RENAME_TRIES) throw error;
      await sleep(RENAME_PAUSE_MS);
    }
  }
}
