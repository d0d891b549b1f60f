/** What TensorBoard's own reader takes from our event files equals the records (formats.md section 10). Needs Python with tensorboard. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LiveEventLog } from '../../main/exchange/liveEventLog.ts';
import { writeTensorBoard } from '../../main/exchange/tensorboardLog.ts';
import { readRecords } from '../../main/store/runFolder.ts';
import { tinyRunConfig } from '../store/tinyRun.ts';
import { PEER_PYTHON, peerHas } from '../support/peerPython.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { ADAPTED, FAR, MODULES, metrics, recordedRun, runFolder, snapshot } from './recordedRun.ts';

interface Read {
  fileVersion: number;
  scalars: Record<string, [step: number, value: number | string, wallTime: number][]>;
  /** As the server has them. */
  served: Record<string, [step: number, value: number | string][]>;
  histograms: Record<string, { step: number; count: number; counts: number[]; rightEdges: number[] }[]>;
  texts: Record<string, [step: number, text: string][]>;
}

function readWithTensorBoard(folder: string): Read {
  const script = path.resolve(import.meta.dirname, '../fixtures/tensorboard/read_events.py');
  const { status, stdout, stderr } = spawnSync(PEER_PYTHON, [script, folder], { encoding: 'utf8', maxBuffer: 1 << 26 });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Read;
}

/** Both readers have the same. */
function curve({ scalars, served }: Read, tag: string): [number, number][] {
  const found = (scalars[tag] ?? []).map(([step, value]): [number, number] => [step, Number(value)]);
  expect((served[tag] ?? []).map(([step, value]) => [step, Number(value)])).toEqual(found);
  return found;
}

describe.skipIf(!peerHas('tensorboard'))('TensorBoard', () => {
  it('reads every scalar of a run as its records have it', async () => {
    const root = temporaryFolder();
    const store = await recordedRun(runFolder(root));
    onTestFinished(() => store.close());
    const out = path.join(root, 'out');
    await writeTensorBoard(store.dir, out);
    const read = readWithTensorBoard(out);
    expect(read.fileVersion).toBe(2);
    const of = <T extends { step: number }>(records: readonly T[], value: (record: T) => number | null | undefined): [number, number][] =>
      records.flatMap((record) => (value(record) == null ? [] : [[record.step, Math.fround(value(record) as number)] as [number, number]]));
    const lines = await readRecords(store.dir, 'metrics');
    const epochs = await readRecords(store.dir, 'epochs');
    const snapshots = await readRecords(store.dir, 'snapshots');
    expect(lines.some(({ loss }) => Number.isNaN(loss))).toBe(true);
    expect(lines.every(({ step }) => step > FAR)).toBe(true);
    expect(curve(read, 'train/loss')).toEqual(of(lines, ({ loss }) => loss));
    expect(curve(read, 'lr')).toEqual(of(lines, ({ lr }) => lr));
    expect(curve(read, 'throughput/images_per_s')).toEqual(of(lines, ({ imagesPerSecond }) => imagesPerSecond));
    expect(curve(read, 'memory/rss_bytes')).toEqual(of(lines, ({ memoryBytes }) => memoryBytes));
    expect(curve(read, 'memory/device_bytes')).toEqual(of(lines, ({ gpuMemoryBytes }) => gpuMemoryBytes));
    expect(curve(read, 'train/top1')).toEqual(of(epochs, ({ trainTop1 }) => trainTop1));
    expect(curve(read, 'eval/loss')).toEqual(of(epochs, ({ valLoss }) => valLoss));
    expect(curve(read, 'eval/top1')).toEqual(of(epochs, ({ valTop1 }) => valTop1));
    expect(curve(read, 'eval/top5')).toEqual(of(epochs, ({ valTop5 }) => valTop5));
    for (const module of MODULES) {
      expect(curve(read, `prelora/norm/${module}`)).toEqual(of(snapshots, ({ modules }) => modules[module]?.weightNorm));
    }
    expect(curve(read, 'prelora/change/fc2').map(([step]) => step)).toEqual([FAR + 8, FAR + 12]);
    expect(curve(read, `lora/rank/${ADAPTED}`)).toEqual([[FAR + 8, 2]]);
  });

  it('reads histograms and the journal', async () => {
    const root = temporaryFolder();
    const store = await recordedRun(runFolder(root));
    onTestFinished(() => store.close());
    await writeTensorBoard(store.dir, path.join(root, 'out'));
    const { histograms, texts } = readWithTensorBoard(path.join(root, 'out'));
    expect(Object.keys(histograms).sort()).toEqual(MODULES.map((module) => `weights/${module}`).sort());
    const found = histograms[`weights/${ADAPTED}`] ?? [];
    expect(found.map(({ step }) => step)).toEqual([FAR + 6, FAR + 12]);
    for (const { count, counts, rightEdges } of found) {
      expect(count).toBe(8 * 8);
      expect(counts.reduce((sum, n) => sum + n)).toBe(count);
      expect(rightEdges).toHaveLength(counts.length);
    }
    expect(texts.events?.at(-2)).toEqual([FAR + 8, expect.stringContaining('漢 🙂')]);
  });

  it('drops the abandoned tail of a run that was resumed while it was followed, and bears a torn end', async () => {
    const root = temporaryFolder();
    const store = await recordedRun(runFolder(root));
    onTestFinished(() => store.close());
    const faults: unknown[] = [];
    const follow = async (step: number): Promise<LiveEventLog> => {
      const log = new LiveEventLog({ runDir: store.dir, config: () => tinyRunConfig, step, onFault: (error) => faults.push(error) });
      await log.open();
      return log;
    };
    const first = await follow(FAR + 12);
    const goOn = (log: LiveEventLog, step: number, segment: number, loss: number): void => {
      const record = metrics(step, { segment, loss });
      store.appendMetrics(record);
      log.metrics(record);
    };
    for (let step = 13; step <= 16; step++) goOn(first, step, 1, 99);
    first.snapshot(snapshot(16, 99, { segment: 1 }));
    first.close();
    const tb = path.join(store.dir, 'tb');
    const file = path.join(tb, readdirSync(tb)[0] as string);
    // Killed inside a record.
    truncateSync(file, statSync(file).size - 5);
    const segment = await store.startSegment({ step: FAR + 14, segment: 1 }, 'resume after an unclean end');
    const second = await follow(FAR + 14);
    for (let step = 15; step <= 17; step++) goOn(second, step, segment, 0.5);
    second.close();
    expect(faults).toEqual([]);
    const read = readWithTensorBoard(tb);
    const lines = await readRecords(store.dir, 'metrics');
    expect(curve(read, 'train/loss')).toEqual(lines.map(({ step, loss }) => [step, Math.fround(loss as number)]));
    expect(curve(read, 'train/loss').slice(-5)).toEqual([13, 14, 15, 16, 17].map((step) => [FAR + step, step < 15 ? 99 : 0.5]));
    expect(curve(read, `prelora/norm/${MODULES[0]}`).map(([step]) => step)).toEqual([4, 8, 12].map((step) => FAR + step));
  });
});
