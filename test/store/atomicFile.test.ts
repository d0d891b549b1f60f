import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryName, temporaryOwner, writeFileAtomically, writeJsonAtomically } from '../../main/store/atomicFile.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

test('a file is replaced as a whole and nothing is left beside it', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'status.json');
  await writeFileAtomically(file, 'one');
  await writeJsonAtomically(file, { loss: Number.NaN });
  expect(readFileSync(file, 'utf8')).toBe('{\n  "loss": "NaN"\n}\n');
  expect(readdirSync(folder)).toEqual(['status.json']);
});

test('writes at the same time do not disturb each other', async () => {
  const file = path.join(temporaryFolder(), 'status.json');
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
  await Promise.all(texts.map((text) => writeFileAtomically(file, text)));
  expect(texts).toContain(readFileSync(file, 'utf8'));
});

test('a failed write leaves the old file and no temporary one', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'taken');
  mkdirSync(file);
  writeFileSync(path.join(file, 'inside'), 'x');
  await expect(writeFileAtomically(file, 'new')).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(['taken']);
});

test.skipIf(process.getuid?.() === 0)('a folder without permission is named (not as root, who may write anywhere)', async () => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o500);
  await expect(writeFileAtomically(path.join(folder, 'status.json'), 'new')).rejects.toMatchObject({ code: 'not-writable' });
});

test('a process killed while it replaces a file again and again leaves one whole version', async () => {
  const file = path.join(temporaryFolder(), 'status.json');
  for (let round = 0; round < 5; round++) {
    const child = fork(path.join(import.meta.dirname, 'replacingProcess.mjs'), [file]);
    for (let count = 0; count < 3 + round; count++) await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const text = readFileSync(file, 'utf8');
    expect(text).toBe(text.slice(0, 1).repeat(200_000));
  }
});

test('a temporary name tells which process made it, and nothing else is taken for one', () => {
  expect(temporaryOwner(path.basename(temporaryName('/a/status.json')))).toBe(process.pid);
  expect(temporaryOwner('.step-12.4711.tmp')).toBe(4711);
  for (const name of ['status.json', '.hidden', '.x.tmp', 'step-1.12.tmp', '.a.12.tmp.bak']) expect(temporaryOwner(name), name).toBeNull();
});
