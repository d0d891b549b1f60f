import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { EpochRecord, EventRecord, MetricsRecord } from '../../main/protocol/records.ts';
import {
  isRunFolder,
  listRunFolders,
  readConfig,
  readLast,
  readRanks,
  readRecords,
  readSplitRecords,
  readStatus,
  recordFile,
} from '../../main/store/runFolder.ts';
import { createRun, openRun, type RunStore } from '../../main/store/runStore.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyCheckpoint, tinyRunConfig } from './tinyRun.ts';

async function newRun(): Promise<RunStore> {
  const store = await createRun({ dir: path.join(temporaryFolder(), 'run'), config: tinyRunConfig, runId: 'tiny' });
  onTestFinished(() => store.close());
  return store;
}

async function reopen(dir: string): Promise<RunStore> {
  const store = await openRun(dir);
  onTestFinished(() => store.close());
  return store;
}

function metrics(step: number, segment = 0): MetricsRecord {
  const times = { imagesPerSecond: null, stepMs: null, dataWaitMs: null, memoryBytes: null };
  return { step, epoch: step / 10, phase: 'full', segment, loss: 1 / step, lr: 1e-3, gradNorm: null, ...times };
}

function epoch(number: number, step: number, segment = 0): EpochRecord {
  const measured = { trainLoss: 1.5, trainTop1: 0.4, valLoss: 1.25, valTop1: 0.57, valTop5: 0.07 };
  const rest = { seconds: 1, imagesPerSecond: 10, peakMemoryBytes: null, lr: 1e-7 };
  return { epoch: number, step, phase: 'full', segment, ...measured, ...rest };
}

test('a run is a folder with its config and its journal, and opens again under the same id', async () => {
  const store = await newRun();
  store.close();
  expect(readdirSync(store.dir).sort()).toEqual(['config.json', 'epochs.jsonl', 'events.jsonl', 'metrics.jsonl', 'snapshots.jsonl']);
  expect(await readConfig(store.dir)).toEqual(tinyRunConfig);
  expect((await reopen(store.dir)).runId).toBe('tiny');
  expect(await listRunFolders(path.dirname(store.dir))).toEqual([store.dir]);
});

test('a run that goes away while the folders are looked through is not listed, and the others are', async () => {
  const root = temporaryFolder();
  const [stays, goes] = ['stays', 'goes'].map((name) => path.join(root, name)) as [string, string];
  for (let i = 0; i < 50; i++) {
    for (const dir of [stays, goes]) mkdirSync(dir, { recursive: true });
    for (const dir of [stays, goes]) writeFileSync(path.join(dir, 'config.json'), '{}');
    const looking = listRunFolders(root);
    // Later by a little more each time, so that it also falls between the look at the root and the look at the folder.
    for (let turn = 0; turn < i % 5; turn++) await setImmediate();
    rmSync(goes, { recursive: true });
    expect(await looking).toContain(stays);
  }
  expect(await isRunFolder(stays)).toBe(true);
  expect(await isRunFolder(goes)).toBe(false);
});

test('a folder that holds something is not taken for a new run', async () => {
  const dir = temporaryFolder();
  writeFileSync(path.join(dir, 'notes.txt'), 'mine');
  await expect(createRun({ dir, config: tinyRunConfig })).rejects.toMatchObject({ code: 'bad-arguments' });
});

test('a run killed before its config was complete can be created again', async () => {
  const dir = temporaryFolder();
  const lock = { pid: 999_999, host: hostname(), startedAt: 'then', processStart: null, token: 'dead' };
  writeFileSync(path.join(dir, 'run.lock'), JSON.stringify(lock));
  writeFileSync(path.join(dir, '.config.json.999999.0123abcd.tmp'), '{"sche');
  const store = await createRun({ dir, config: tinyRunConfig });
  store.close();
  expect((await reopen(dir)).config).toEqual(store.config);
});

test('a run killed before its first journal record opens, and gets its id then', async () => {
  const store = await newRun();
  store.close();
  writeFileSync(recordFile(store.dir, 'events'), '{"kind":"cre');
  const again = await reopen(store.dir);
  again.close();
  expect((await reopen(store.dir)).runId).toBe(again.runId);
});

test('a folder without a config is no run', async () => {
  const dir = temporaryFolder();
  await expect(openRun(dir)).rejects.toMatchObject({ code: 'not-found', message: `${dir} is not a run: it has no config.json` });
});

test('the config of a later program is refused with both versions', async () => {
  const dir = temporaryFolder();
  writeFileSync(path.join(dir, 'config.json'), '{"schemaVersion":2}');
  await expect(openRun(dir)).rejects.toThrow('config is version 2, this program reads up to 1');
});

test('a second writer is refused while the first is open', async () => {
  const store = await newRun();
  await expect(openRun(store.dir)).rejects.toMatchObject({ code: 'busy' });
  store.close();
  await reopen(store.dir);
});

test('records come back as written, numbers to the last bit, non-finite ones too', async () => {
  const store = await newRun();
  const odd = { ...metrics(3), loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY, extra: [1 / 3] };
  store.appendMetrics(metrics(7));
  store.appendMetrics(odd);
  expect(await readRecords(store.dir, 'metrics')).toEqual([metrics(7), odd]);
  expect(readFileSync(recordFile(store.dir, 'metrics'), 'utf8')).toContain('"loss":"NaN"');
});

test('a torn last line is cut off and reported on opening, and passed over by readers', async () => {
  const store = await newRun();
  store.appendMetrics(metrics(1));
  store.close();
  appendFileSync(recordFile(store.dir, 'metrics'), '{"step":2,"ep');
  const split = await readSplitRecords(store.dir, 'metrics');
  expect(split.live).toEqual([metrics(1)]);
  expect(split.torn).toEqual({ file: recordFile(store.dir, 'metrics'), bytes: 13 });
  const again = await reopen(store.dir);
  expect(again.torn).toEqual([{ file: recordFile(store.dir, 'metrics'), bytes: 13 }]);
  again.appendMetrics(metrics(2));
  expect(await readRecords(store.dir, 'metrics')).toEqual([metrics(1), metrics(2)]);
});

test('a bad line in the middle is an error naming file and line', async () => {
  const store = await newRun();
  store.appendMetrics(metrics(1));
  appendFileSync(recordFile(store.dir, 'metrics'), `garbage\n${JSON.stringify(metrics(3))}\n`);
  const message = `${recordFile(store.dir, 'metrics')}: line 2: is not the JSON of an object`;
  await expect(readRecords(store.dir, 'metrics')).rejects.toMatchObject({ code: 'run-damaged', message });
});

test('a record that lacks a field is an error naming file, line and field', async () => {
  const store = await newRun();
  appendFileSync(recordFile(store.dir, 'metrics'), '{"step":1}\n');
  await expect(readRecords(store.dir, 'metrics')).rejects.toThrow('line 1: epoch: ');
});

test('after a crash, a new segment at the checkpoint abandons what was written past it', async () => {
  const store = await newRun();
  for (const step of [1, 2, 3]) store.appendMetrics(metrics(step));
  await store.saveCheckpoint(tinyCheckpoint(2));
  store.close();
  const again = await reopen(store.dir);
  expect(await again.newestGoodCheckpoint()).toEqual({ step: 2, damaged: [] });
  const segment = await again.startSegment({ step: 2, segment: 0 }, 'crash');
  for (const step of [3, 4]) again.appendMetrics(metrics(step, segment));
  const { live, abandoned } = await readSplitRecords(store.dir, 'metrics');
  expect(live.map((record) => [record.step, record.segment])).toEqual([
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
  ]);
  expect(abandoned.map((record) => [record.step, record.segment])).toEqual([[3, 0]]);
});

test('an undo can be undone: the way back decides what is live', async () => {
  const store = await newRun();
  for (let step = 1; step <= 5; step++) store.appendMetrics(metrics(step));
  const undone = await store.startSegment({ step: 2, segment: 0 }, 'undo');
  store.appendMetrics(metrics(3, undone));
  await store.startSegment({ step: 5, segment: 0 }, 'undo');
  store.appendMetrics(metrics(6, 2));
  const live = await readRecords(store.dir, 'metrics');
  expect(live.map((record) => [record.step, record.segment])).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 0],
    [5, 0],
    [6, 2],
  ]);
});

test('an abandoned checkpoint is not resumed from, however new it is', async () => {
  const store = await newRun();
  for (const step of [2, 4, 6]) await store.saveCheckpoint(tinyCheckpoint(step));
  await store.startSegment({ step: 2, segment: 0 }, 'undo');
  expect((await store.newestGoodCheckpoint()).step).toBe(2);
  expect((await store.loadCheckpoint(6)).manifest.step).toBe(6);
});

test('a checkpoint tells how much of every record file belongs to it', async () => {
  const store = await newRun();
  store.appendMetrics(metrics(1));
  const { appendLengths } = await store.saveCheckpoint(tinyCheckpoint(1));
  store.appendMetrics(metrics(2));
  const bytes = readFileSync(recordFile(store.dir, 'metrics'));
  expect(bytes.subarray(0, appendLengths['metrics.jsonl']).toString()).toBe(`${JSON.stringify(metrics(1))}\n`);
  expect(Object.keys(appendLengths)).toEqual(['metrics.jsonl', 'epochs.jsonl', 'snapshots.jsonl', 'events.jsonl']);
  expect(await readLast(store.dir)).toBe(1);
});

test('summary.csv has the columns, units and line ends of timm, and only live epochs', async () => {
  const store = await newRun();
  store.appendEpoch(epoch(1, 10));
  store.appendEpoch(epoch(2, 20));
  const segment = await store.startSegment({ step: 10, segment: 0 }, 'undo');
  store.appendEpoch({ ...epoch(2, 20, segment), trainLoss: Number.NaN, valTop1: null });
  await store.writeSummary();
  const expected = ['epoch,train_loss,eval_loss,eval_top1,eval_top5,lr', '1,1.5,1.25,57,7,1e-7', '2,nan,1.25,,7,1e-7', ''];
  expect(readFileSync(path.join(store.dir, 'summary.csv'), 'utf8')).toBe(expected.join('\r\n'));
});

test('ranks of an undone switch are set aside, not deleted', async () => {
  const store = await newRun();
  const ranks = { step: 4, reason: 'rule' as const, modules: [], adapterParameters: 0, trainableAfterFreeze: 10, share: 1 };
  await store.writeRanks(ranks);
  expect(await readRanks(store.dir)).toEqual(ranks);
  await store.setRanksAside(0);
  expect(await readRanks(store.dir)).toBeNull();
  expect(JSON.parse(readFileSync(path.join(store.dir, 'ranks.segment-0.json'), 'utf8'))).toEqual(ranks);
});

test('there is no status before one is written, and a damaged one is named', async () => {
  const store = await newRun();
  expect(await readStatus(store.dir)).toBeNull();
  writeFileSync(path.join(store.dir, 'status.json'), '{"runId":1}');
  await expect(readStatus(store.dir)).rejects.toThrow('status.json: runId: ');
});

test('opening clears temporary files of processes that are gone', async () => {
  const store = await newRun();
  store.close();
  writeFileSync(path.join(store.dir, '.status.json.999999.0123abcd.tmp'), '{');
  mkdirSync(path.join(store.dir, 'checkpoints', '.step-3.999999.tmp'), { recursive: true });
  const again = await reopen(store.dir);
  expect(readdirSync(again.dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(readdirSync(path.join(again.dir, 'checkpoints'))).toEqual([]);
});

test('journal entries keep who, when and the detail', async () => {
  const store = await newRun();
  const entry: EventRecord = {
    kind: 'edit',
    step: 5,
    segment: 0,
    time: '2026-01-02T03:04:05.000Z',
    by: 'user',
    detail: { old: 1, new: 2 },
  };
  store.appendEvent(entry);
  expect((await readRecords(store.dir, 'events')).map(({ kind }) => kind)).toEqual(['created', 'edit']);
  expect((await readRecords(store.dir, 'events'))[1]).toEqual(entry);
});

test('a run and its checkpoint of format version 1 still open, bit for bit (R7)', async () => {
  const dir = path.join(temporaryFolder(), 'run');
  cpSync(path.join(import.meta.dirname, '../fixtures/checkpoint-v1'), dir, { recursive: true });
  const store = await reopen(dir);
  expect(store.runId).toBe('checkpoint-v1');
  const { manifest, tensors, state } = await store.loadCheckpoint(7);
  const written = tinyCheckpoint(7, { phase: 'lora' });
  expect(manifest).toMatchObject({ version: 1, step: 7, phase: 'lora', segment: 0 });
  expect(state).toEqual(written.state);
  expect(tensors.model).toEqual(written.tensors.model);
  expect(tensors.optimizer).toEqual(written.tensors.optimizer);
  expect(tensors.previous).toEqual(written.tensors.previous);
});
