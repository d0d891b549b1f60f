/** A small disk of a test's own, a tmpfs, and how to fill it. Mounting needs root: elsewhere such tests are skipped. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

const PIECE_BYTES = 4096;

function mountTmpfs(folder: string, kibibytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora-mount-'));
  const mounted = mountTmpfs(folder, 64);
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

/** Its folder; unmounted after the test. */
export function smallDisk(kibibytes: number): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora-disk-'));
  mountTmpfs(folder, kibibytes);
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Takes all space but about `leave` bytes; returns how to give it back. */
export function fill(disk: string, leave: number): () => void {
  const file = path.join(disk, 'filler');
  const reserve = path.join(disk, 'reserve');
  writeFileSync(reserve, new Uint8Array(leave));
  const piece = new Uint8Array(PIECE_BYTES);
  try {
    for (;;) writeFileSync(file, piece, { flag: 'a' });
  } catch {
    rmSync(reserve);
  }
  return () => rmSync(file);
}
