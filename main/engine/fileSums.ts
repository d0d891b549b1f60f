/** Size and sha256 of every regular file below a folder: what engine.json records of an engine. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { EngineManifest } from '../protocol/engine.ts';

/** Keys are paths below `folder` with forward slashes; symbolic links are left out. */
export async function fileSums(folder: string): Promise<EngineManifest['files']> {
  const sums: EngineManifest['files'] = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    sums[path.relative(folder, file).split(path.sep).join('/')] = await fileSum(file);
  }
  return sums;
}

/** The first file that is missing or is not what was recorded; null when all are. `seen` hears the bytes looked at so far. */
export async function damagedFile(folder: string, files: EngineManifest['files'], seen: (bytes: number) => void): Promise<string | null> {
  let bytes = 0;
  for (const [name, recorded] of Object.entries(files)) {
    const found = await fileSum(path.join(folder, name)).catch(() => null);
    if (found?.bytes !== recorded.bytes || found.sha256 !== recorded.sha256) return name;
    bytes += found.bytes;
    seen(bytes);
  }
  return null;
}

async function fileSum(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
}
