/** A run as event files: what is live in its records and checkpoints, all of it, and nothing else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mergedWeight } from '../../main/core/mergedWeight.ts';
import { eventFileNames, nextEventFileName } from '../../main/exchange/eventFile.ts';
import type { BoardEvent } from '../../main/exchange/eventRecords.ts';
import { writeTensorBoard } from '../../main/exchange/tensorboardLog.ts';
import { wallClock } from '../../main/exchange/wallClock.ts';
import { histogramValue } from '../../main/exchange/weightHistograms.ts';
import type { Tensor } from '../../main/store/safetensors.ts';
import { tinyCheckpoint } from '../store/tinyRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { histogramsOf, readEvents, scalarsOf, tagsOf, textsOf } from './eventReader.ts';
import { ADAPTED, epoch, FAR, MODULES, metrics, recordedRun, runFolder, snapshot } from './recordedRun.ts';

async function written(change: (dir: string) => void = () => {}): Promise<{ events: BoardEvent[]; skipped: string[] }> {
  const root = temporaryFolder();
  const store = await recordedRun(runFolder(root));
  onTestFinished(() => store.close());
  change(store.dir);
  const out = path.join(root, 'out');
  const { files, events, skipped } = await writeTensorBoard(store.dir, out);
  expect(files).toEqual([path.join(out, readdirSync(out)[0] as string)]);
  const read = readEvents(readFileSync(files[0] as string));
  expect(read).toHaveLength(events);
  return { events: read, skipped };
}

const steps = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('the event file of a run', () => {
  it('is named as TensorBoard expects, and nothing is left beside it', async () => {
    const root = temporaryFolder();
    const store = await recordedRun(runFolder(root));
    onTestFinished(() => store.close());
    await writeTensorBoard(store.dir, root);
    const names = readdirSync(root).filter((name) => name !== 'run');
    expect(names).toEqual([expect.stringMatching(new RegExp(`^events\\.out\\.tfevents\\.\\d{10}\\.prelora\\.${process.pid}\\.0$`))]);
  });

  it('has every tag of the format and no other', async () => {
    const { events } = await written();
    const modules = MODULES.flatMap((module) => [`prelora/norm/${module}`, `weights/${module}`]);
    const families = ['q', 'k', 'v', 'proj', 'fc1', 'fc2'].map((family) => `prelora/change/${family}`);
    const plain = ['train/loss', 'train/top1', 'eval/loss', 'eval/top1', 'eval/top5', 'lr', 'throughput/images_per_s', 'events'];
    const memory = ['memory/rss_bytes', 'memory/device_bytes'];
    const ranked = [ADAPTED, 'blocks.0.attn.k'].map((module) => `lora/rank/${module}`);
    expect(tagsOf(events)).toEqual([...modules, ...families, ...plain, ...memory, ...ranked].sort());
    expect(events[0]).toMatchObject({ fileVersion: 'brain.Event:2', step: 0 });
  });

  it('holds the live metrics as float32, NaN and infinity too, and nothing abandoned', async () => {
    const { events } = await written();
    const losses = steps(1, 12).map((step) => (step === 7 ? Number.NaN : step === 8 ? Number.POSITIVE_INFINITY : 1 / (1 + step)));
    expect(scalarsOf(events, 'train/loss')).toEqual(losses.map((loss, i) => [FAR + 1 + i, Math.fround(loss)]));
    expect(scalarsOf(events, 'lr')).toEqual(steps(1, 12).map((step) => [FAR + step, Math.fround(metrics(step).lr)]));
    expect(scalarsOf(events, 'throughput/images_per_s').map(([step]) => step - FAR)).toEqual(steps(1, 12).filter((step) => step !== 8));
    expect(scalarsOf(events, 'memory/device_bytes')).toEqual([[FAR + 7, Math.fround(7e9)]]);
  });

  it('holds scores as fractions; what was not evaluated is missing', async () => {
    const { events } = await written();
    expect(scalarsOf(events, 'train/top1')).toEqual([4, 8].map((step) => [FAR + step, Math.fround(0.3)]));
    expect(scalarsOf(events, 'eval/top1')).toEqual([[FAR + 4, Math.fround(epoch(1, 4).valTop1 as number)]]);
    expect(scalarsOf(events, 'eval/loss')).toEqual([
      [FAR + 4, 1.25],
      [FAR + 8, Number.NaN],
    ]);
  });

  it('holds norms per module and the change per family from one live snapshot to the next', async () => {
    const { events } = await written();
    const norms = [snapshot(4, 10), snapshot(8, 11), snapshot(12, 12)].map(({ modules }) => modules[MODULES[6]!]!.weightNorm);
    expect(scalarsOf(events, `prelora/norm/${MODULES[6]}`).map(([, norm]) => norm)).toEqual(norms.map(Math.fround));
    // q of block 0 has the plain norm, q of block 1 0.06 more.
    const change = (from: number, to: number): number => (100 * (1 / from + 1 / (from + 0.06)) * (to - from)) / 2;
    expect(scalarsOf(events, 'prelora/change/q')).toEqual([
      [FAR + 8, expect.closeTo(change(10, 11), 5)],
      [FAR + 12, expect.closeTo(change(11, 12), 5)],
    ]);
  });

  it('holds the ranks at the switch', async () => {
    const { events } = await written();
    expect(scalarsOf(events, `lora/rank/${ADAPTED}`)).toEqual([[FAR + 8, 2]]);
    expect(scalarsOf(events, 'lora/rank/blocks.0.attn.k')).toEqual([[FAR + 8, 0]]);
  });

  it('holds histograms of the weights of the checkpoints that are there, adapters included', async () => {
    const { events } = await written();
    const full = tinyCheckpoint(6).tensors.model.get(`${MODULES[4]}.weight`) as Tensor;
    expect(histogramsOf(events, `weights/${MODULES[4]}`)[0]).toEqual([FAR + 6, histogramValue(full.data)]);
    const { model } = tinyCheckpoint(12, { phase: 'lora' }).tensors;
    const [weight, a, b] = ['weight', 'loraA', 'loraB'].map((part) => model.get(`${ADAPTED}.${part}`) as Tensor) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const merged = histogramValue(mergedWeight(weight, a, b, { rank: 2, scaling: 2 }));
    expect(histogramsOf(events, `weights/${ADAPTED}`)[1]).toEqual([FAR + 12, merged]);
    expect(merged).not.toEqual(histogramValue(weight.data));
  });

  it('holds the journal as Markdown, one text per step, at the time of its last entry', async () => {
    const { events } = await written();
    const texts = textsOf(events, 'events');
    expect(texts.map(([step]) => step - (step > FAR ? FAR : 0))).toEqual([0, 6, 8, 12]);
    expect(texts[2]?.[1]).toBe(
      '**switch-planned** (rule, 2026-11-01T10:00:00.500Z) `{"words":"a \\u0060b\\u0060 漢 🙂"}`\n\n' +
        '**switched** (rule, 2026-11-01T10:00:01.000Z) `{"share":"Infinity"}`',
    );
    const event = events.find(({ step, values }) => step === FAR + 8 && values?.[0]?.tag === 'events');
    expect(event?.wallTime).toBe(Date.parse('2026-11-01T10:00:01.000Z') / 1000);
  });

  it('does without the histograms of a damaged checkpoint, and says so', async () => {
    const { events, skipped } = await written((dir) => {
      writeFileSync(path.join(dir, 'checkpoints', `step-${FAR + 6}`, 'model.safetensors'), 'short');
      rmSync(path.join(dir, 'checkpoints', `step-${FAR + 12}`, 'manifest.json'));
    });
    expect(tagsOf(events).filter((tag) => tag.startsWith('weights/'))).toEqual([]);
    expect(skipped).toHaveLength(2);
    expect(skipped.join('\n')).toContain(`checkpoint step-${FAR + 12} is damaged: manifest.json: is missing`);
  });

  it('is not begun for a folder that is no run, and not left half written', async () => {
    const root = temporaryFolder();
    await expect(writeTensorBoard(root, path.join(root, 'out'))).rejects.toMatchObject({ code: 'not-found' });
    const store = await recordedRun(runFolder(root));
    onTestFinished(() => store.close());
    writeFileSync(path.join(store.dir, 'snapshots.jsonl'), 'garbage\n{}\n');
    mkdirSync(path.join(root, 'out'));
    await expect(writeTensorBoard(store.dir, path.join(root, 'out'))).rejects.toMatchObject({ code: 'run-damaged' });
    expect(readdirSync(path.join(root, 'out'))).toEqual([]);
  });
});

describe('histograms', () => {
  it('count every finite value between its edges', () => {
    const values = [-1, -0.5, 0, 0.25, 1, Number.NaN, Number.POSITIVE_INFINITY];
    const { min, max, count, sum, sumSquares, rightEdges, counts } = histogramValue(values)!;
    expect([min, max, count, rightEdges.at(-1)]).toEqual([-1, 1, 5, 1]);
    expect([sum, sumSquares]).toEqual([expect.closeTo(-0.25, 12), expect.closeTo(2.3125, 12)]);
    expect(counts.reduce((total, n) => total + n)).toBe(5);
  });

  it('of nothing finite are none', () => {
    expect(histogramValue([Number.NaN])).toBeNull();
    expect(histogramValue([])).toBeNull();
  });
});

describe('the time of a step', () => {
  const clock = wallClock([
    { step: 20, time: 260 },
    { step: 0, time: 100 },
    { step: 10, time: 120 },
    { step: 10, time: 240 },
  ]);

  it('is known where something was noted, and even in between', () => {
    expect([0, 5, 10, 15, 20].map(clock)).toEqual([100, 110, 120, 250, 260]);
  });

  it('stands still before the first note and after the last, and is 0 without any', () => {
    expect(clock(99)).toBe(260);
    expect(wallClock([{ step: 5, time: 7 }])(1)).toBe(7);
    expect(wallClock([])(3)).toBe(0);
  });
});

describe('names of event files', () => {
  it('are read after those that are there, whatever the clock says', () => {
    const first = nextEventFileName([], 1_700_000_000.9);
    expect(first).toBe(`events.out.tfevents.1700000000.prelora.${process.pid}.0`);
    const names = [first];
    for (const now of [1_600_000_000, 1_700_000_500, ...new Array<number>(12).fill(1_700_000_500)]) {
      names.push(nextEventFileName(eventFileNames(['notes.txt', ...names].reverse()), now));
    }
    expect([...names].sort()).toEqual(names);
    expect(new Set(names).size).toBe(15);
  });
});
