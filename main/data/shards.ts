/** Finds the files of a data set that is stored in shards: tar files (WebDataset) or parquet files (Hugging Face). */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { byCodePoint } from './codePointOrder.ts';
import { filesOfPattern, isPattern } from './filePattern.ts';
import type { SplitName } from './rawSource.ts';
import { fileError } from './sharedFile.ts';
import { splitCalled, splitOfShard } from './splitNames.ts';

export type ShardFormat = 'webdataset' | 'parquet';

export interface Shard {
  /** Absolute. */
  path: string;
  /** Relative to the data set, with `/`. */
  name: string;
  split: SplitName;
}

export interface FoundShards {
  /** The folder that names are relative to. */
  root: string;
  /** In code-point order of their names, which fixes the order of the samples. */
  shards: Shard[];
}

const ENDINGS: Record<ShardFormat, RegExp> = { webdataset: /\.(tar|tar\.gz|tgz)$/i, parquet: /\.parquet$/i };
/** Folders between a data set and its shards, as the hub lays them: `data/`, `default/train/`. */
const HOLDS_SHARDS = /^(data|default|plain_text|shards)$/i;
const DEEPEST = 3;

/** The format that a name says, or null. */
export function shardFormatOf(name: string): ShardFormat | null {
  return (Object.keys(ENDINGS) as ShardFormat[]).find((format) => ENDINGS[format].test(name)) ?? null;
}

/** What `source` (a file, a pattern, or a folder) holds shards of; null when it is none of these. Looks into few folders only. */
export async function detectShards(source: string): Promise<ShardFormat | null> {
  const root = path.resolve(source);
  if (!(await isFolder(root)))
    return shardFormatOf(root) ?? (isPattern(root) ? shardFormatOf((await filesOfPattern(root))[0] as string) : null);
  return detectIn(root, 0);
}

/** Shards beside folders that hold none are downloads beside a folder of images: ImageNet's own archives often lie so. */
async function detectIn(folder: string, depth: number): Promise<ShardFormat | null> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw fileError(folder, error);
  });
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
  for (const name of depth < DEEPEST ? folders : []) {
    if (!HOLDS_SHARDS.test(name) && splitCalled(name) === null) continue;
    const inside = await detectIn(path.join(folder, name), depth + 1);
    if (inside) return inside;
  }
  return folders.length > 0 ? null : (entries.map(({ name }) => shardFormatOf(name)).find((format) => format !== null) ?? null);
}

/** Throws data-not-found when there is no shard, or when one that `source` names is missing. */
export async function findShards(source: string, format: ShardFormat): Promise<FoundShards> {
  const resolved = path.resolve(source);
  const folder = await isFolder(resolved);
  const files = folder ? await shardsIn(resolved, format) : await filesOfPattern(resolved);
  if (files.length === 0) throw new PreloraError('data-not-found', `${resolved}: no ${endingOf(format)} files in it`, 'data.source');
  const root = folder ? resolved : commonFolder(files);
  const shards = files.map((file) => {
    const name = path.relative(root, file).split(path.sep).join('/');
    return { path: file, name, split: splitOfShard(name) };
  });
  return { root, shards: shards.sort((a, b) => byCodePoint(a.name, b.name)) };
}

function endingOf(format: ShardFormat): string {
  return format === 'webdataset' ? '.tar or .tar.gz' : '.parquet';
}

async function shardsIn(root: string, format: ShardFormat): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw fileError(root, error);
  });
  return entries
    .filter((entry) => !entry.isDirectory() && ENDINGS[format].test(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

async function isFolder(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isDirectory() ?? false;
}

function commonFolder(files: readonly string[]): string {
  let folder = path.dirname(files[0] as string);
  while (!files.every((file) => file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep))) folder = path.dirname(folder);
  return folder;
}
