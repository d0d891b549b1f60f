/** logging.tensorboard: event files that follow a run while it trains, and tell what its records tell, also after a stop, a kill and an undo. */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BoardEvent } from '../../main/exchange/eventRecords.ts';
import { writeTensorBoard } from '../../main/exchange/tensorboardLog.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import type { EventRecord } from '../../main/protocol/records.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import type { RunStore } from '../../main/store/runStore.ts';
import { Recorder } from '../../main/train/recorder.ts';
import { histogramsOf, purged, readEvents, scalarsOf, tagsOf, textsOf } from '../exchange/eventReader.ts';
import { metrics } from '../exchange/recordedRun.ts';
import { canMount, fill, smallDisk } from '../support/smallDisk.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, eventKinds, eventsOf, type Overrides, resumeTiny, tinyConfig, trainTiny } from './tinyTraining.ts';

/** 3 updates per epoch, 4 epochs: switch at 6, freeze at 9, end at 12. */
const FOLLOWED: Overrides = {
  data: { maxTrain: 24, maxVal: 10 },
  train: { epochs: 4, keepCheckpoints: 20 },
  logging: { tensorboard: true },
};

const runFolder = (): string => path.join(temporaryFolder(), 'run');

/** The files of a folder in the order of their names. */
function filesIn(folder: string): BoardEvent[][] {
  const names = readdirSync(folder).sort();
  return names.map((name) => readEvents(readFileSync(path.join(folder, name))));
}

/** What a reader of tb/ shows: tag by tag, the last text of a step alone. */
function shown(events: readonly BoardEvent[]): unknown {
  const kept = purged(events);
  return tagsOf(kept).map((tag) => {
    const histograms = histogramsOf(kept, tag);
    return { tag, scalars: scalarsOf(kept, tag), histograms, texts: [...new Map(textsOf(kept, tag))] };
  });
}

/** The same from the records alone. */
async function derived(dir: string): Promise<unknown> {
  const { files } = await writeTensorBoard(dir, path.join(temporaryFolder(), 'out'));
  return shown(readEvents(readFileSync(files[0] as string)));
}

describe('a run that TensorBoard follows', () => {
  it('has in tb/ what its records give, and trains the same', async () => {
    const [dir, plain] = [runFolder(), runFolder()];
    const followed = await trainTiny(dir, FOLLOWED);
    const files = filesIn(path.join(dir, 'tb'));
    expect(files).toHaveLength(1);
    expect(files[0]?.slice(0, 2)).toMatchObject([{ fileVersion: 'brain.Event:2' }, { step: 0, isStart: true }]);
    expect(shown(files.flat())).toEqual(await derived(dir));
    expect(scalarsOf(files.flat(), 'train/loss')).toHaveLength(12);
    const without = await trainTiny(plain, { ...FOLLOWED, logging: {} });
    expect(readdirSync(plain)).not.toContain('tb');
    expect(await contentOf(followed)).toEqual(await contentOf(without));
  });

  it('goes on in a new file after a stop, which begins with the step of the resume', async () => {
    const dir = runFolder();
    await trainTiny(dir, FOLLOWED, { commands: { 8: [{ kind: 'stop' }] } });
    await resumeTiny(dir);
    const files = filesIn(path.join(dir, 'tb'));
    expect(files).toHaveLength(2);
    expect(files[1]?.slice(0, 2)).toMatchObject([{ fileVersion: 'brain.Event:2' }, { step: 8, isStart: true }]);
    expect(shown(files.flat())).toEqual(await derived(dir));
  });

  it('loses the abandoned tail after an undo, the ranks of the undone switch too', async () => {
    const dir = runFolder();
    const commands = { 8: [{ kind: 'undo' as const }] };
    await trainTiny(dir, FOLLOWED, { commands, afterUndo: { kind: 'resume' }, isAttended: true });
    const files = filesIn(path.join(dir, 'tb'));
    expect(files).toHaveLength(2);
    expect(files[1]?.[1]).toMatchObject({ step: 6, isStart: true });
    expect(tagsOf(files[0] ?? []).some((tag) => tag.startsWith('lora/rank/'))).toBe(true);
    expect(tagsOf(purged(files.flat())).filter((tag) => tag.startsWith('lora/rank/'))).toEqual([]);
    expect(shown(files.flat())).toEqual(await derived(dir));
  });

  it('gets the whole run again where tb/ was deleted', async () => {
    const dir = runFolder();
    await trainTiny(dir, FOLLOWED, { commands: { 8: [{ kind: 'stop' }] } });
    rmSync(path.join(dir, 'tb'), { recursive: true });
    await resumeTiny(dir);
    const files = filesIn(path.join(dir, 'tb'));
    expect(files).toHaveLength(1);
    expect(shown(files.flat())).toEqual(await derived(dir));
  });
});

describe('a fault in tb/', () => {
  it('is journalled once and ends the event files, not the run', async () => {
    const dir = runFolder();
    const { end } = await trainTiny(dir, FOLLOWED, { prepare: () => writeFileSync(path.join(dir, 'tb'), 'a file in its place') });
    expect(end).toBe('finished');
    const [told, ...more] = await eventsOf(dir, 'tensorboard-stopped');
    expect(more).toEqual([]);
    expect(told?.detail.message).toContain('EEXIST');
    expect((await eventKinds(dir)).at(-1)).toBe('finished');
  });

  it.skipIf(!canMount())('that comes while it trains leaves whole events behind (needs root to mount a tmpfs)', async () => {
    const dir = runFolder();
    const disk = smallDisk(256);
    fill(disk, 24 * 1024);
    const { end } = await trainTiny(dir, FOLLOWED, { prepare: () => symlinkSync(disk, path.join(dir, 'tb')) });
    expect(end).toBe('finished');
    const told = await eventsOf(dir, 'tensorboard-stopped');
    expect(told.map(({ detail }) => detail.message)).toEqual([expect.stringContaining('the disk is full (ENOSPC)')]);
    const [name] = readdirSync(disk).filter((file) => file.includes('tfevents'));
    expect(readEvents(readFileSync(path.join(disk, name as string)))[0]).toMatchObject({ fileVersion: 'brain.Event:2' });
  });

  it('is journalled later where the journal itself cannot be written at first', async () => {
    const dir = temporaryFolder();
    writeFileSync(path.join(dir, 'tb'), 'a file in its place');
    const kinds: string[] = [];
    let isFull = true;
    const appendEvent = ({ kind }: EventRecord): void => {
      if (isFull) throw new PreloraError('disk-full', 'events.jsonl: the disk is full (ENOSPC)');
      kinds.push(kind);
    };
    const recorder = new Recorder({ dir, appendMetrics() {}, appendEvent } as unknown as RunStore, {});
    await recorder.openEventLog({ config: () => tinyConfig() as ResolvedConfig, step: 0 }, (message) => {
      recorder.event({ kind: 'tensorboard-stopped', step: 0, by: 'program', detail: { message } }, 0);
    });
    recorder.metrics(metrics(1));
    isFull = false;
    for (const step of [2, 3]) recorder.metrics(metrics(step));
    expect(kinds).toEqual(['tensorboard-stopped']);
  });
});
