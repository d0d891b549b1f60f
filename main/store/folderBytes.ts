/** What a folder takes on the disk. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** Size of a folder's files; links are not followed. Files that vanish meanwhile (a checkpoint being pruned) do not count. */
export async function folderBytes(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const sizes = entries.map(async (entry) => {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) return folderBytes(file);
    return entry.isFile() ? ((await stat(file).catch(() => null))?.size ?? 0) : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}
