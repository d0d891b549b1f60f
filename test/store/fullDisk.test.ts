/** R4: a disk that is full or read-only, on a small tmpfs of our own. Mounting needs root; elsewhere these tests are skipped. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { MetricsRecord } from '../../main/protocol/records.ts';
import { writeFileAtomically } from '../../main/store/atomicFile.ts';
import { isDiskFault } from '../../main/store/diskFault.ts';
import { JsonLinesWriter } from '../../main/store/jsonLines.ts';
import { readRecords, readSplitRecords } from '../../main/store/runFolder.ts';
import { createRun } from '../../main/store/runStore.ts';
import { canMount, fill, smallDisk } from '../support/smallDisk.ts';
import { namedTensor, tinyCheckpoint, tinyRunConfig } from './tinyRun.ts';

const KIB = 1024;

function metrics(step: number): MetricsRecord {
  const times = { imagesPerSecond: null, stepMs: null, dataWaitMs: null, memoryBytes: null };
  return { step, epoch: 0, phase: 'full', segment: 0, loss: 1, lr: 1e-3, gradNorm: null, ...times };
}

const onRoot = test.skipIf(!canMount());

onRoot('a full disk stops the records at a whole line, and they go on when there is space (needs root to mount a tmpfs)', async () => {
  const disk = smallDisk(256);
  const store = await createRun({ dir: path.join(disk, 'run'), config: tinyRunConfig });
  const free = fill(disk, 8 * KIB);
  let step = 0;
  let fault: unknown;
  while (!fault && step < 10_000) {
    try {
      store.appendMetrics(metrics(++step));
    } catch (error) {
      fault = error;
    }
  }
  expect(isDiskFault(fault)).toBe(true);
  expect(String(fault)).toContain('metrics.jsonl: the disk is full (ENOSPC); free some space and resume');
  const { live, torn } = await readSplitRecords(store.dir, 'metrics');
  expect([live.length, torn]).toEqual([step - 1, null]);
  free();
  store.appendMetrics(metrics(step));
  expect((await readRecords(store.dir, 'metrics')).map((record) => record.step)).toEqual(Array.from({ length: step }, (_, i) => i + 1));
  store.close();
});

onRoot('a checkpoint without room is not begun, says how much it needs, and is written once there is space (needs root)', async () => {
  const disk = smallDisk(512);
  const store = await createRun({ dir: path.join(disk, 'run'), config: tinyRunConfig });
  await store.saveCheckpoint(tinyCheckpoint(1));
  const before = snapshotOf(store.dir);
  const free = fill(disk, 12 * KIB);
  await expect(store.saveCheckpoint(tinyCheckpoint(2))).rejects.toThrow(
    /checkpoint step-2 needs 0\.\d MiB, 0\.0 MiB are free; free some space and resume/,
  );
  expect(snapshotOf(store.dir)).toEqual(before);
  free();
  await store.saveCheckpoint(tinyCheckpoint(2));
  expect((await store.newestGoodCheckpoint()).step).toBe(2);
  store.close();
});

onRoot('a disk that fills up while a checkpoint is written leaves the older ones and no trace of the new one (needs root)', async () => {
  const disk = smallDisk(512);
  const store = await createRun({ dir: path.join(disk, 'run'), config: tinyRunConfig });
  await store.saveCheckpoint(tinyCheckpoint(1));
  const before = snapshotOf(store.dir);
  const content = tinyCheckpoint(2);
  let free = (): void => {};
  const { shape, data } = namedTensor('head.weight', [8, 3], 2);
  // Another program takes the space after the room was found to be there.
  const late = async (): Promise<Float32Array> => {
    free = fill(disk, 0);
    return data;
  };
  const tensors = { ...content.tensors, model: new Map([...content.tensors.model, ['head.weight', { shape, data: late }] as const]) };
  await expect(store.saveCheckpoint({ ...content, tensors })).rejects.toMatchObject({ code: 'disk-full' });
  expect(snapshotOf(store.dir)).toEqual(before);
  free();
  await store.saveCheckpoint(content);
  expect((await store.newestGoodCheckpoint()).step).toBe(2);
  store.close();
});

onRoot('a disk that became read-only is named, and nothing on it changes (needs root)', async () => {
  const disk = smallDisk(256);
  const file = path.join(disk, 'status.json');
  await writeFileAtomically(file, 'old');
  execFileSync('mount', ['-o', 'remount,ro', disk]);
  await expect(writeFileAtomically(file, 'new')).rejects.toMatchObject({ code: 'not-writable' });
  expect(() => new JsonLinesWriter(path.join(disk, 'metrics.jsonl'))).toThrow('cannot be written (EROFS)');
  expect(readdirSync(disk)).toEqual(['status.json']);
  execFileSync('mount', ['-o', 'remount,rw', disk]);
  await writeFileAtomically(file, 'new');
  expect(readFileSync(file, 'utf8')).toBe('new');
});

/** Every file below a folder with its content; the filler lies outside. */
function snapshotOf(dir: string): [string, string][] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry): [string, string] => {
      const file = path.join(entry.parentPath, entry.name);
      return [file, readFileSync(file, 'base64')];
    })
    .sort();
}
