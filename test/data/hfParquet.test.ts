/** Parquet as `datasets` and pyarrow write it: images byte for byte, classes by name, every codec; each fault with its own message. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openTrainBatches } from '../../main/data/batches.ts';
import { configFor } from './dataConfig.ts';
import { contentOf, expected, folderWith, golden, namesOf, open, ownDataRoot, refusal } from './shardSets.ts';

let dataRoot = '';
beforeEach(() => {
  dataRoot = ownDataRoot();
  return () => vi.unstubAllEnvs();
});

/** The same file as both splits, named as on the hub, so that no image is set aside. */
function bothSplits(name: string): string {
  return folderWith({ 'data/train-00000-of-00001.parquet': name, 'data/test-00000-of-00001.parquet': name });
}

describe('parquet as datasets writes it', () => {
  it('gives the images byte for byte, paths or not, and classes by the names in its metadata', async () => {
    const dataset = await open(bothSplits('hf.parquet'));
    expect([dataset.format, dataset.channels, dataset.classNames]).toEqual(['parquet', 3, ['cat', 'dög']]);
    expect(await contentOf(dataset, 'train')).toEqual({ classes: ['dög', 'cat', 'dög'], pixels: expected.pixels });
    expect(namesOf(dataset.val)[2]).toBe('data/test-00000-of-00001.parquet/row 2');
    expect([dataset.valOrigin, dataset.report.notes, dataset.report.converted]).toEqual([
      'the test split of the source, which has no val split',
      [],
      {},
    ]);
  });

  it('asks when there are several columns of classes, and takes the one that data.labelField names', async () => {
    const root = bothSplits('two-labels.parquet');
    const file = path.join(root, 'data/test-00000-of-00001.parquet');
    expect(await refusal(root)).toBe(`parquet-column: ${file}: 2 label columns: fine_label, coarse_label; name one as data.labelField`);
    expect((await open(root, { labelField: 'fine_label' })).classNames).toEqual(['a', 'b']);
    const coarse = await open(root, { labelField: 'coarse_label' });
    expect([coarse.classNames, [...coarse.train.labels]]).toEqual([
      ['x', 'y'],
      [0, 0, 1],
    ]);
  });
});

describe('parquet as pyarrow writes it', () => {
  it.each(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'])(
    'codec %s: binary column, 32-bit labels, three row groups',
    async (codec) => {
      const dataset = await open(bothSplits(`${codec}.parquet`));
      expect(await contentOf(dataset, 'train')).toEqual({ classes: ['1', '0', '1'], pixels: expected.pixels });
    },
  );

  it('takes labels in words, and "label" before other columns', async () => {
    const dataset = await open(bothSplits('words.parquet'));
    expect(await contentOf(dataset, 'train')).toEqual({ classes: ['dog', 'ant', 'dog'], pixels: expected.pixels });
    expect([...(await open(bothSplits('words.parquet'), { labelField: 'size' })).train.labels]).toEqual([1, 2, 3]);
  });

  it('leaves out a test split without labels, and says so; training without them is refused', async () => {
    const files = { 'train.parquet': 'none.parquet', 'validation.parquet': 'none.parquet', 'test.parquet': 'hidden.parquet' };
    expect((await open(folderWith(files))).report.notes).toContain('the test split has no labels and is left out');
    const root = folderWith({ 'train.parquet': 'hidden.parquet' });
    expect(await refusal(root)).toBe(`label-range: ${root}/train.parquet: row 0: label -1 outside 0…999999`);
  });
});

describe('a fault of parquet', () => {
  it('names the column that is not there, the columns there are, and the field to set', async () => {
    const root = folderWith({ 'a.parquet': 'words.parquet' });
    const file = path.join(root, 'a.parquet');
    expect(await refusal(root, { labelField: 'klass' })).toBe(`parquet-column: ${file}: no column klass; it has image, label, size`);
    expect(await refusal(root, { imageField: 'picture' })).toBe(`parquet-column: ${file}: no column picture; it has image, label, size`);
    expect(await refusal(root, { imageField: 'size' })).toBe(
      `parquet-column: ${file}: column size does not hold images; struct{bytes, path} or binary is needed`,
    );
    expect(await refusal(root, { labelField: 'image' })).toBe(
      `parquet-column: ${file}: column image does not hold classes; whole numbers or text is needed`,
    );
    await expect(open(root, { labelField: 'klass' })).rejects.toMatchObject({ field: 'data.labelField' });
  });

  it('names the row of a label outside the classes', async () => {
    const root = folderWith({ 'a.parquet': 'out-of-range.parquet' });
    expect(await refusal(root)).toBe(`label-range: ${root}/a.parquet: row 1: label 2 outside 0…1`);
  });

  it('names a codec that cannot be read', async () => {
    const root = folderWith({ 'a.parquet': 'lzo.parquet' });
    expect(await refusal(root)).toMatch(/^parquet-codec: .*\/a\.parquet: codec LZO is not supported; write it with uncompressed, snappy/);
  });

  it('says what is wrong with a file that is cut, empty, or something else', async () => {
    for (const bytes of [golden('hf.parquet').subarray(0, 900), Buffer.alloc(0), Buffer.from('PAR1')]) {
      expect(await refusal(folderWith({ 'a.parquet': bytes }))).toMatch(/^data-unreadable: .*a\.parquet: ./);
    }
    const file = folderWith({ 'a.parquet': golden('snappy.parquet').fill(0, 100, 140) });
    expect(await refusal(file)).toMatch(/^(data-unreadable|data-empty-class): ./);
  });

  it('refuses files whose class names differ', async () => {
    const root = folderWith({ 'train.parquet': 'hf.parquet', 'test.parquet': 'out-of-range.parquet' });
    expect(await refusal(root)).toBe(`data-class-mismatch: ${root}/train.parquet has other class names than test.parquet`);
  });
});

describe('training batches from parquet', () => {
  it('are the same after a resume, also when what was unpacked is gone', async () => {
    const root = bothSplits('hf.parquet');
    const read = async (fromStep: number, steps: number): Promise<unknown[]> => {
      const dataset = await open(root);
      const stream = openTrainBatches(dataset, configFor(dataset, { train: { batchSize: 2, microBatch: 2 } }), { fromStep });
      const seen = [];
      for (let i = 0; i < steps; i++) {
        const { step, sampleIds, patches } = await stream.next();
        seen.push([step, [...sampleIds], [...patches]]);
      }
      await stream.close();
      return seen;
    };
    const whole = await read(0, 9);
    rmSync(path.join(dataRoot, 'unpacked'), { recursive: true });
    expect(await read(4, 5)).toEqual(whole.slice(4));
  });

  it('follows links to files, as caches of the hub have them', async () => {
    const root = bothSplits('hf.parquet');
    const cache = folderWith({ 'blobs/x': 'hf.parquet' });
    mkdirSync(path.join(cache, 'snapshot/data'), { recursive: true });
    for (const name of ['train-00000-of-00001.parquet', 'test-00000-of-00001.parquet']) {
      symlinkSync('../../blobs/x', path.join(cache, 'snapshot/data', name));
    }
    expect((await open(path.join(cache, 'snapshot'))).fingerprint).toBe((await open(root)).fingerprint);
  });
});
