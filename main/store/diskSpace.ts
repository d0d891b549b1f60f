/** Room on a disk before something is written to it: what does not fit is not begun. */
import { statfs } from 'node:fs/promises';
import { PreloraError } from '../protocol/reply.ts';

/** Room that must stay free beyond what is written: the records that follow, and what file systems keep for themselves. */
export const FREE_SPACE_FACTOR = 1.1;

/** Free for us on the disk that holds `folder`. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Throws `disk-full` when `bytes` and the reserve do not fit; `what` says for whom, `cure` what to do then. */
export async function requireSpace(folder: string, bytes: number, { what, cure }: { what: string; cure: string }): Promise<void> {
  const needed = FREE_SPACE_FACTOR * bytes;
  const free = await freeBytes(folder);
  if (free >= needed) return;
  throw new PreloraError('disk-full', `${what} needs ${mebibytes(needed)} MiB, ${mebibytes(free)} MiB are free; ${cure}`);
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
