/**
 * One install at a time below an engines root: a file that names its holder. A holder that was killed is recognised – its process is gone, or
 * the number has passed to a younger process – and its lock taken over.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkNotStopped, type InstallContext } from './installProgress.ts';

interface Holder {
  pid: number;
  /** The kernel's start time of the process, null where it cannot be read. */
  startedAt: string | null;
}

const LOCK = 'install.lock';
const POLL_MS = 300;
const NOBODY = -1;

/** Waits until the lock is free, takes it, and gives back what releases it. Stops waiting with `interrupted`. */
export async function takeInstallLock(root: string, context: InstallContext): Promise<() => Promise<void>> {
  for (;;) {
    checkNotStopped(context);
    const taken = await takeInstallLockNow(root);
    if (typeof taken === 'function') return taken;
    context.onProgress({ stage: 'wait', message: `waiting for another install (process ${taken.pid})` });
    await sleep(POLL_MS);
  }
}

/** Takes the lock without waiting: gives back what releases it, or the living process that holds it. */
export async function takeInstallLockNow(root: string): Promise<(() => Promise<void>) | Holder> {
  const lock = path.join(root, LOCK);
  for (;;) {
    if (await tryTake(root, lock)) return () => rm(lock, { force: true });
    const holder = await readHolder(lock);
    if (holder && isAlive(holder)) return holder;
    if (holder) await removeStale(lock, holder);
  }
}

/** Removes what processes killed while they asked for the lock left beside it. */
export async function sweepLockRequests(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(`${LOCK}.`)) continue;
    const pid = Number(name.split('.')[2]);
    if (!isAlive({ pid, startedAt: null })) await rm(path.join(root, name), { force: true });
  }
}

/** A link appears whole or not at all, so nobody ever reads a half-written holder. */
async function tryTake(root: string, lock: string): Promise<boolean> {
  const own = path.join(root, `${LOCK}.${process.pid}.${randomBytes(4).toString('hex')}`);
  await writeFile(own, JSON.stringify({ pid: process.pid, startedAt: startTime(process.pid) } satisfies Holder));
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Null when there is no lock; one that a power cut left empty names nobody, so it is stale. */
async function readHolder(lock: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(lock, 'utf8')) as Holder;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : { pid: NOBODY, startedAt: null };
  }
}

/** Moved aside first: of two that find the same stale lock, one moves it; the other may have moved a new one, and puts that back. */
async function removeStale(lock: string, stale: Holder): Promise<void> {
  const aside = `${lock}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(lock, aside);
  } catch {
    return;
  }
  const moved = await readHolder(aside);
  if (moved && (moved.pid !== stale.pid || moved.startedAt !== stale.startedAt)) await link(aside, lock).catch(() => {});
  await rm(aside, { force: true });
}

/** True while the process that `pid` named is running. */
export function isAlive({ pid, startedAt }: Holder): boolean {
  if (pid === NOBODY) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startedAt === null || startedAt === startTime(pid);
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); null where there is no /proc. The name in field 2 may hold spaces, so count from its bracket. */
function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
