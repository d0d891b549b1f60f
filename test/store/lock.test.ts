import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PreloraError } from '../../main/protocol/reply.ts';
import type { LockFile } from '../../main/protocol/runFiles.ts';
import { acquireLock, lockHolder, releaseOwnLock } from '../../main/store/lock.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** A process that locks `dir` when told to and answers `locked` or the error's code. */
async function otherProcess(dir: string): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, 'lockingProcess.mjs'), [dir]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, request: 'lock' | 'release'): Promise<string> {
  const answer = once(child, 'message');
  child.send(request);
  return String((await answer)[0]);
}

function writeLock(dir: string, lock: Partial<LockFile>): void {
  const whole: LockFile = { pid: process.pid, host: hostname(), startedAt: 'then', processStart: null, token: 'other', ...lock };
  writeFileSync(path.join(dir, 'run.lock'), JSON.stringify(whole));
}

test('the lock names the process that holds it, and is gone after release', () => {
  const dir = temporaryFolder();
  const lock = acquireLock(dir);
  expect(lockHolder(dir)).toMatchObject({ pid: process.pid, host: hostname() });
  lock.release();
  lock.release();
  expect(readdirSync(dir)).toEqual([]);
});

test('a second lock in the same process is refused', () => {
  const dir = temporaryFolder();
  acquireLock(dir);
  expect(() => acquireLock(dir)).toThrow(`is being written by process ${process.pid} on ${hostname()} since`);
});

test('another process is refused while we hold the lock, and gets it afterwards', async () => {
  const dir = temporaryFolder();
  const child = await otherProcess(dir);
  const lock = acquireLock(dir);
  expect(await ask(child, 'lock')).toBe('busy');
  lock.release();
  expect(await ask(child, 'lock')).toBe('locked');
  expect(() => acquireLock(dir)).toThrow(`process ${child.pid} on`);
});

test('the lock of a killed process is taken over', async () => {
  const dir = temporaryFolder();
  const child = await otherProcess(dir);
  expect(await ask(child, 'lock')).toBe('locked');
  const died = once(child, 'exit');
  child.kill('SIGKILL');
  await died;
  expect(lockHolder(dir)).toBeNull();
  acquireLock(dir);
  expect(lockHolder(dir)?.pid).toBe(process.pid);
});

test.skipIf(!existsSync('/proc/self/stat'))('a lock whose pid now belongs to a later process is stale (needs /proc)', () => {
  const dir = temporaryFolder();
  writeLock(dir, { processStart: '1' });
  acquireLock(dir);
  expect(lockHolder(dir)?.processStart).not.toBe('1');
});

test('a lock of another computer is never stale, and the message says what to do', () => {
  const dir = temporaryFolder();
  writeLock(dir, { host: 'elsewhere', pid: 999_999 });
  expect(() => acquireLock(dir)).toThrow(
    `${dir} is being written by process 999999 on elsewhere since then; stop it first, or delete run.lock if that process is gone`,
  );
});

test('a lock that cannot be understood is not overridden', () => {
  const dir = temporaryFolder();
  writeFileSync(path.join(dir, 'run.lock'), 'not mine');
  expect(() => acquireLock(dir)).toThrow('run.lock cannot be understood; delete it if no program is writing this run');
  expect(readFileSync(path.join(dir, 'run.lock'), 'utf8')).toBe('not mine');
});

test('a lock that a dead worker of this process left can be released', () => {
  const dir = temporaryFolder();
  acquireLock(dir);
  expect(() => acquireLock(dir)).toThrow(PreloraError);
  releaseOwnLock(dir);
  expect(() => acquireLock(dir)).not.toThrow();
});

test('releasing never removes the lock of a later holder', () => {
  const dir = temporaryFolder();
  const first = acquireLock(dir);
  releaseOwnLock(dir);
  acquireLock(dir);
  first.release();
  expect(lockHolder(dir)).not.toBeNull();
});

test('of four processes that find the same stale lock exactly one gets it, ten times over', async () => {
  const dir = temporaryFolder();
  const children = await Promise.all([1, 2, 3, 4].map(() => otherProcess(dir)));
  for (let round = 0; round < 10; round++) {
    writeLock(dir, { pid: 999_999, token: `round-${round}` });
    const answers = await Promise.all(children.map((child) => ask(child, 'lock')));
    expect(answers.sort()).toEqual(['busy', 'busy', 'busy', 'locked']);
    await Promise.all(children.map((child) => ask(child, 'release')));
    expect(readdirSync(dir)).toEqual([]);
  }
});
