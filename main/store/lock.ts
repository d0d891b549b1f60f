/**
 * `run.lock`: one process at a time may write a run (reliability.md R6). Created exclusively with pid, host and start time. A lock
 * is stale when its process is gone on this host, or when the kernel says that the pid now belongs to a later process.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { LockFile } from '../protocol/runFiles.ts';
import { temporaryName } from './atomicFile.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { parseJson } from './json.ts';

export interface RunLock {
  /** Gives the run free. Safe to repeat. */
  release(): void;
}

export const LOCK_FILE = 'run.lock';

function lockFile(runDir: string): string {
  return path.join(runDir, LOCK_FILE);
}

/** Locks the run for this process. Throws `busy` naming the process that has it, `disk-full` or `not-writable`. */
export function acquireLock(runDir: string): RunLock {
  const file = lockFile(runDir);
  const mine: LockFile = {
    pid: process.pid,
    host: hostname(),
    startedAt: new Date().toISOString(),
    processStart: processStart(process.pid),
    token: randomUUID(),
  };
  if (!create(file, mine)) {
    const holder = readLock(file);
    if (holder && !isStale(holder)) throw busy(runDir, holder);
    if (holder) takeOver(file, holder);
    if (!create(file, mine)) throw busy(runDir, readLock(file));
  }
  return { release: () => removeIf(file, (found) => found.token === mine.token) };
}

/** Removes a lock that a dead worker of this very process left: the pid still lives, so it would never count as stale. */
export function releaseOwnLock(runDir: string): void {
  const start = processStart(process.pid);
  removeIf(lockFile(runDir), (found) => found.pid === process.pid && found.host === hostname() && found.processStart === start);
}

/** The process that is writing the run now, or null. */
export function lockHolder(runDir: string): LockFile | null {
  const holder = readLock(lockFile(runDir));
  return holder && !isStale(holder) ? holder : null;
}

/**
 * Creates the lock with its content in one step, so that nobody ever reads an empty one: a hard link appears whole or not at all.
 * False when there is one already.
 */
function create(file: string, content: LockFile): boolean {
  const whole = temporaryName(file);
  try {
    writeDurably(whole, content);
    linkSync(whole, file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    if (['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(systemCode(error) ?? '')) return createWithoutLink(file, content);
    throw diskFault(error, file);
  } finally {
    rmSync(whole, { force: true });
  }
}

/** Fsynced, or a power cut could leave an empty lock that names nobody and never becomes stale. */
function writeDurably(file: string, content: LockFile): void {
  const descriptor = openSync(file, 'wx');
  try {
    writeFileSync(descriptor, JSON.stringify(content));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** For file systems without hard links (exFAT, some network shares). */
function createWithoutLink(file: string, content: LockFile): boolean {
  try {
    writeDurably(file, content);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw diskFault(error, file);
  }
}

/**
 * Removes a stale lock. Two processes may find the same one; whoever creates the takeover file may remove it, and only after
 * looking again, since the other may already have been through and hold a fresh lock.
 */
function takeOver(file: string, stale: LockFile): void {
  const takeover = `${file}.takeover-${stale.token}`;
  try {
    writeFileSync(takeover, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw diskFault(error, file);
    if (!isAbandonedTakeover(takeover)) return;
  }
  removeIf(file, (found) => found.token === stale.token);
  rmSync(takeover, { force: true });
}

function isAbandonedTakeover(takeover: string): boolean {
  try {
    const pid = Number(readFileSync(takeover, 'utf8'));
    return pid > 0 && !isAlive(pid);
  } catch {
    return false;
  }
}

function removeIf(file: string, condition: (found: LockFile) => boolean): void {
  const found = readLock(file);
  if (!found || !condition(found)) return;
  try {
    unlinkSync(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

function readLock(file: string): LockFile | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
  const parsed = LockFile.safeParse(parseJson(text));
  if (!parsed.success) throw new PreloraError('busy', `${file} cannot be understood; delete it if no program is writing this run`);
  return parsed.data;
}

function isStale(lock: LockFile): boolean {
  if (lock.host !== hostname()) return false;
  if (!isAlive(lock.pid)) return true;
  const start = processStart(lock.pid);
  return start !== null && lock.processStart !== null && start !== lock.processStart;
}

/** Whether a process of this machine has the pid. A zombie, killed but not yet collected by its parent, counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
  return processStat(pid)?.[0] !== 'Z';
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; null where there is no /proc. */
function processStart(pid: number): string | null {
  return processStat(pid)?.[19] ?? null;
}

/** The fields of /proc/PID/stat from the third (state) on; the second, the name, may itself hold spaces and brackets. */
function processStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function busy(runDir: string, holder: LockFile | null): PreloraError {
  const who = holder ? `process ${holder.pid} on ${holder.host} since ${holder.startedAt}` : 'another process';
  return new PreloraError('busy', `${runDir} is being written by ${who}; stop it first, or delete run.lock if that process is gone`);
}
