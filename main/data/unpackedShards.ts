/**
 * What compressed shards left unpacked below the data root: how much, for which shards, and whether a run reads it now. It may be deleted at
 * any other time, since the next opening unpacks it again; under a run that trains on it every image would become unreadable. So a run
 * notes what it reads, and the note holds for as long as the run is locked.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { temporaryOwner, writeJsonAtomically } from '../store/atomicFile.ts';
import { diskFault } from '../store/diskFault.ts';
import { parseJson } from '../store/json.ts';
import { isAlive, lockHolder } from '../store/lock.ts';
import { unpackedFolder } from '../store/paths.ts';
import type { Split } from './images.ts';

const IMAGES = '.images';
const USE_NOTE = /^used-[0-9a-f]{16}\.json$/;
/** The path of a shard stands first in its index, so that a list of shards need not read millions of names. */
const HEAD_BYTES = 16 * 1024;
const HEAD = /^\{"shard":("(?:[^"\\]|\\.)*")/;

interface UseNote {
  runDir: string;
  keys: string[];
}

export interface UnpackedShard {
  /** Names within the folder, the index first: without it nobody looks for the images. */
  files: string[];
  /** Where it was unpacked from; null where that is not known: an unpacking that was killed, or one of an earlier version. */
  shard: string | null;
  bytes: number;
  /** When it was opened last, ms since the epoch. */
  usedAt: number;
  /** Folder of the run that reads it now. */
  usedBy: string | null;
}

/** Where the images of a shard are unpacked to, and the index that tells where each lies. */
export function unpackedFiles(key: string): { images: string; index: string } {
  return { images: path.join(unpackedFolder(), `${key}${IMAGES}`), index: path.join(unpackedFolder(), `${key}.json`) };
}

/** All unpacked images, and what killed unpackings left of theirs. */
export async function listUnpacked(): Promise<UnpackedShard[]> {
  const folder = unpackedFolder();
  const names: string[] = await readdir(folder).catch(() => []);
  const usedBy = await keysInUse(folder, names);
  const whole = names
    .filter((name) => name.endsWith(IMAGES))
    .map((images) => {
      const key = path.basename(images, IMAGES);
      const index = `${key}.json`;
      return describe(folder, names.includes(index) ? [index, images] : [images], usedBy.get(key) ?? null);
    });
  const leftOver = names.filter((name) => name.includes(IMAGES) && isAbandoned(name)).map((name) => describe(folder, [name], null));
  return Promise.all([...whole, ...leftOver]);
}

/** Deletes these; the next opening unpacks again. Gives back the bytes won. Throws `not-writable`. */
export async function removeUnpacked(shards: readonly UnpackedShard[]): Promise<number> {
  for (const file of shards.flatMap(({ files }) => files)) {
    await rm(path.join(unpackedFolder(), file), { force: true }).catch((error: unknown) => {
      throw diskFault(error, file);
    });
  }
  return shards.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Notes that the run in `runDir` reads these splits, until it is not locked any more. Without room for the note it trains all the same. */
export async function noteUse(runDir: string, splits: readonly Split[]): Promise<void> {
  const folder = unpackedFolder();
  const files = splits.flatMap(({ images }) => (images.kind === 'ranges' ? images.files : []));
  const keys = [...new Set(files)].filter((file) => path.dirname(file) === folder).map((file) => path.basename(file, IMAGES));
  if (keys.length === 0) return;
  const dir = path.resolve(runDir);
  const name = `used-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}.json`;
  await mkdir(folder, { recursive: true })
    .then(() => writeJsonAtomically(path.join(folder, name), { runDir: dir, keys } satisfies UseNote))
    .catch(() => {});
}

/** Drops what nobody has opened since `oldest` (ms since the epoch) and no run reads; what killed programs left goes too. */
export async function dropUnopened(folder: string, oldest: number): Promise<void> {
  const names: string[] = await readdir(folder).catch(() => []);
  const usedBy = await keysInUse(folder, names);
  for (const name of names) {
    // Notes that do not hold any more were removed by now.
    if (USE_NOTE.test(name) || usedBy.has(name.replace(/\.(images|json)$/, ''))) continue;
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found?.isFile() && found.mtimeMs < oldest) await rm(file, { force: true }).catch(() => {});
  }
}

/** Key → folder of a run that reads it. Notes of runs that are over are removed. */
async function keysInUse(folder: string, names: readonly string[]): Promise<Map<string, string>> {
  const usedBy = new Map<string, string>();
  for (const name of names.filter((candidate) => USE_NOTE.test(candidate))) {
    const note = readNote(await readFile(path.join(folder, name), 'utf8').catch(() => ''));
    if (note && isLocked(note.runDir)) for (const key of note.keys) usedBy.set(key, note.runDir);
    else await rm(path.join(folder, name), { force: true }).catch(() => {});
  }
  return usedBy;
}

/** Null for a text that is none. */
function readNote(text: string): UseNote | null {
  const { runDir, keys } = (parseJson(text) ?? {}) as Partial<Record<keyof UseNote, unknown>>;
  return typeof runDir === 'string' && Array.isArray(keys) ? { runDir, keys: keys.map(String) } : null;
}

/** A lock that cannot be understood counts: it may be anybody's. */
function isLocked(runDir: string): boolean {
  try {
    return lockHolder(runDir) !== null;
  } catch (error) {
    return error instanceof PreloraError;
  }
}

function isAbandoned(name: string): boolean {
  const owner = temporaryOwner(name);
  return owner !== null && !isAlive(owner);
}

async function describe(folder: string, files: string[], usedBy: string | null): Promise<UnpackedShard> {
  const found = await Promise.all(files.map((name) => stat(path.join(folder, name)).catch(() => null)));
  return {
    files,
    shard: files.length > 1 ? await shardOf(path.join(folder, files[0] as string)) : null,
    bytes: found.reduce((sum, file) => sum + (file?.size ?? 0), 0),
    usedAt: found.reduce((last, file) => Math.max(last, file?.mtimeMs ?? 0), 0),
    usedBy,
  };
}

async function shardOf(index: string): Promise<string | null> {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const handle = await open(index, 'r');
    try {
      await handle.read(head, 0, HEAD_BYTES, 0);
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
  const quoted = HEAD.exec(head.toString('utf8'))?.[1];
  return quoted === undefined ? null : (JSON.parse(quoted) as string);
}
