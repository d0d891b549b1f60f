/** Whole runs on images in shards: they learn from a plain tar, a compressed one and a parquet file, and go on exactly after a stop. */
import { renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { folderWith, numberedTar, ownDataRoot } from '../data/shardSets.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, type Overrides, resumeTiny, trainTiny } from './tinyTraining.ts';

let dataRoot = '';
beforeEach(() => {
  dataRoot = ownDataRoot();
  return () => vi.unstubAllEnvs();
});

/** 3 updates per epoch, 4 epochs: switch at 6, freeze at 9, end at 12. */
const short = (source: string, batchSize: number): Overrides => ({ data: { source }, train: { epochs: 4, batchSize } });

const SOURCES: [string, () => Promise<Overrides>][] = [
  [
    'plain tar shards',
    async () =>
      short(folderWith({ 'train-0.tar': await numberedTar(12), 'train-1.tar': await numberedTar(12), 'val.tar': await numberedTar(6) }), 8),
  ],
  [
    'compressed tar shards',
    async () => short(folderWith({ 'train.tar.gz': gzipSync(await numberedTar(24)), 'val.tar.gz': gzipSync(await numberedTar(6)) }), 8),
  ],
  ['parquet', async () => short(folderWith({ 'train.parquet': 'hf.parquet', 'test.parquet': 'hf.parquet' }), 1)],
];

describe.each(SOURCES)('a run on %s', (_, prepare) => {
  it('trains through all phases, and stopped in any of them equals the uninterrupted one, with the unpacked images gone', async () => {
    const overrides = await prepare();
    const root = temporaryFolder();
    const whole = await contentOf(await trainTiny(`${root}/whole`, overrides));
    expect([whole.metrics.length > 0, whole.ranks !== null]).toEqual([true, true]);
    for (const step of [2, 7, 10]) {
      const dir = `${root}/stopped-${step}`;
      expect((await trainTiny(dir, overrides, { commands: { [step]: [{ kind: 'stop' }] } })).end).toBe('interrupted');
      rmSync(path.join(dataRoot, 'unpacked'), { recursive: true });
      expect(await contentOf(await resumeTiny(dir)), `stopped at ${step}`).toEqual(whole);
    }
  });

  it('is refused on resume when the images are others', async () => {
    const overrides = await prepare();
    const dir = path.join(temporaryFolder(), 'run');
    await trainTiny(dir, overrides, { commands: { 4: [{ kind: 'stop' }] } });
    const source = overrides.data?.source as string;
    rmSync(source, { recursive: true });
    const other = folderWith({ 'train.tar': await numberedTar(21), 'val.tar': await numberedTar(6) });
    renameSync(other, source);
    await expect(resumeTiny(dir)).rejects.toMatchObject({ code: 'inexact-resume' });
  });
});
