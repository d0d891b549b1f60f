/** Folders of images: splits, classes, links and names as found on real disks, and each fault with its own message. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type EvalBatch, openEvalBatches, openTrainBatches } from '../../main/data/batches.ts';
import { byCodePoint } from '../../main/data/codePointOrder.ts';
import { type Dataset, openDataset } from '../../main/data/dataset.ts';
import type { Split } from '../../main/data/images.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { configFor, dataSettings } from './dataConfig.ts';

const fixtures = fileURLToPath(new URL('../fixtures/odd-images', import.meta.url));

/** Copies fixtures to these paths under a new folder: `{ 'train/a/1.png': 'plain.png' }`; null makes an empty folder. */
function folderOf(files: Record<string, string | null>): string {
  const root = temporaryFolder();
  for (const [name, fixture] of Object.entries(files)) {
    const target = path.join(root, name);
    mkdirSync(fixture === null ? target : path.dirname(target), { recursive: true });
    if (fixture !== null) copyFileSync(path.join(fixtures, fixture), target);
  }
  return root;
}

/** `n` good images of each class. */
function classes(names: readonly string[], n: number, { prefix = '', fixture = 'plain.png' } = {}): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => Array.from({ length: n }, (_, i) => [`${prefix}${name}/${i}.png`, fixture])));
}

async function evaluate(dataset: Dataset, batchSize: number, workers = 0): Promise<EvalBatch[]> {
  const batches: EvalBatch[] = [];
  for await (const batch of openEvalBatches(dataset, configFor(dataset, { data: { workers } }), batchSize)) batches.push(batch);
  return batches;
}

const open = (root: string, overrides = {}): Promise<Dataset> => openDataset(dataSettings({ source: root, ...overrides }));
const pathsOf = ({ images }: Split): readonly string[] => (images.kind === 'files' ? images.paths : []);

describe('a folder of images', () => {
  it('numbers its classes by code point, whatever the script', async () => {
    const names = ['b', '2', 'é', 'B', '10', 'a', '猫', '😀', 'Ａ'];
    const dataset = await open(folderOf(classes(names, 2)));
    expect(dataset.classNames).toEqual(['10', '2', 'B', 'a', 'b', 'é', '猫', 'Ａ', '😀']);
  });

  it('takes its splits by name in any case, and val before test', async () => {
    const files = { ...classes(['a', 'b'], 3, { prefix: 'Training/' }), ...classes(['a', 'b'], 2, { prefix: 'DEV/' }) };
    const dataset = await open(folderOf({ ...files, ...classes(['a', 'b'], 1, { prefix: 'test/' }) }));
    expect([dataset.train.count, dataset.val.count, dataset.valOrigin]).toEqual([6, 4, 'the val split of the source']);
    expect(pathsOf(dataset.val)).toEqual(['DEV/a/0.png', 'DEV/a/1.png', 'DEV/b/0.png', 'DEV/b/1.png']);
  });

  it('says when the test split serves as validation', async () => {
    const dataset = await open(
      folderOf({ ...classes(['a', 'b'], 3, { prefix: 'train/' }), ...classes(['a', 'b'], 2, { prefix: 'test/' }) }),
    );
    expect([dataset.val.count, dataset.valOrigin]).toEqual([4, 'the test split of the source, which has no val split']);
  });

  it('is flat when one folder is not the name of a split', async () => {
    const dataset = await open(folderOf(classes(['train', 'dog'], 3)));
    expect(dataset.classNames).toEqual(['dog', 'train']);
  });

  it('without splits sets aside the same images on every machine, and a new image moves at most one', async () => {
    const files = classes(['a', 'b'], 20);
    const val = new Set(pathsOf((await open(folderOf(files), { valFraction: 0.2 })).val));
    expect(val.size).toBe(8);
    const more = new Set(pathsOf((await open(folderOf({ ...files, 'a/new.png': 'plain.png' }), { valFraction: 0.2 })).val));
    expect([...val].filter((name) => !more.has(name)).length).toBeLessThanOrEqual(1);
    // The four smallest of `printf 'prelora\0a/0.png' | sha256sum`, 0 … 19
    expect([...val].filter((name) => name.startsWith('a/')).sort()).toEqual(['a/2.png', 'a/3.png', 'a/7.png', 'a/9.png']);
  });

  it('looks into folders inside a class and leaves out hidden and foreign files', async () => {
    const files = { 'a/deep/er/1.png': 'plain.png', 'a/.hidden.png': 'plain.png', 'a/._1.png': 'plain.png', 'a/notes.txt': 'text.jpg' };
    const ignored = { '__MACOSX/a/1.png': 'plain.png', '.git/b/1.png': 'plain.png', 'a/Thumbs.db': 'plain.png' };
    const dataset = await open(folderOf({ ...files, ...ignored, 'a/2.png': 'plain.png', ...classes(['b'], 2) }));
    expect([...pathsOf(dataset.train), ...pathsOf(dataset.val)].sort(byCodePoint)).toEqual([
      'a/2.png',
      'a/deep/er/1.png',
      'b/0.png',
      'b/1.png',
    ]);
    expect(dataset.report.skipped).toEqual([]);
  });

  it('follows links once and ends at loops', async () => {
    const root = folderOf(classes(['a', 'b'], 2));
    const elsewhere = folderOf(classes(['more'], 2));
    symlinkSync('..', path.join(root, 'a', 'up'));
    symlinkSync('.', path.join(root, 'b', 'self'));
    symlinkSync('ring', path.join(root, 'b', 'ring'));
    symlinkSync(path.join(elsewhere, 'more'), path.join(root, 'a', 'first'));
    symlinkSync(path.join(elsewhere, 'more'), path.join(root, 'a', 'second'));
    symlinkSync(path.join(root, 'nowhere.png'), path.join(root, 'a', 'broken.png'));
    const dataset = await open(root);
    expect([...pathsOf(dataset.train), ...pathsOf(dataset.val)].sort(byCodePoint)).toEqual([
      'a/0.png',
      'a/1.png',
      'a/first/0.png',
      'a/first/1.png',
      'b/0.png',
      'b/1.png',
    ]);
    expect(dataset.report.skipped).toEqual([{ path: 'a/broken.png', reason: 'link that leads nowhere (ENOENT)' }]);
  });

  it('may have very long and non-ASCII names', async () => {
    const long = 'ñ'.repeat(120);
    const name = `${'日'.repeat(80)}.png`;
    const dataset = await open(folderOf({ [`${long}/${name}`]: 'plain.png', [`${long}/2.png`]: 'plain.png', ...classes(['b ä'], 2) }));
    expect(dataset.classNames).toEqual(['b ä', long]);
    for await (const batch of openEvalBatches(dataset, configFor(dataset), 9)) expect(batch.replaced).toEqual([]);
  });

  it('of gray images is gray, with measured mean and std; one colour image makes it RGB', async () => {
    const gray = await open(folderOf(classes(['a', 'b'], 3, { fixture: 'gray.png' })));
    expect([gray.channels, gray.normalization.origin]).toEqual([1, 'measured on 4 training images']);
    const mixed = await open(folderOf({ ...classes(['a', 'b'], 3, { fixture: 'gray.png' }), 'a/c.png': 'plain.png' }));
    expect([mixed.channels, mixed.normalization.origin]).toEqual([3, 'known values of imagenet']);
    expect(mixed.report.converted).toEqual({ 'gray repeated to RGB': 6 });
  });

  it('of colour images can be given as gray, counted', async () => {
    const dataset = await openDataset(dataSettings({ source: folderOf(classes(['a', 'b'], 3)) }), { channels: 1 });
    expect([dataset.channels, dataset.report.converted]).toEqual([1, { 'RGB reduced to gray (ITU-R 601 luma)': 6 }]);
    const [batch] = await evaluate(dataset, 9);
    expect(batch?.patches.length).toBe(2 * 64);
  });

  it('limited to a few images takes as many of each class', async () => {
    const dataset = await open(folderOf(classes(['a', 'b', 'c'], 6)), { maxTrain: 6 });
    expect([...dataset.train.labels]).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('skips broken images, lists them with reasons and counts conversions', async () => {
    const odd = [
      'cut.jpg',
      'cut.png',
      'empty.png',
      'text.jpg',
      'deep.png',
      'cmyk.jpg',
      'animated.gif',
      'tiny.png',
      'huge.png',
      'vector.png',
    ];
    const converted = ['alpha.png', 'turned.png', 'is-png.jpg', 'gray.png'];
    const files = Object.fromEntries([...odd, ...converted].map((name) => [`a/${name}`, name]));
    const dataset = await open(folderOf({ ...files, ...classes(['b'], 2) }));
    expect(dataset.report.skipped.map((skipped) => skipped.path).sort()).toEqual(odd.map((name) => `a/${name}`).sort());
    expect(dataset.report.skipped.find((skipped) => skipped.path === 'a/huge.png')?.reason).toBe('30000×30000 is more than 100 megapixels');
    expect(dataset.report.converted).toEqual({
      'alpha channel dropped': 1,
      'rotated by EXIF': 1,
      'read by content, not by name': 1,
      'gray repeated to RGB': 1,
    });
    const unusual = await open(folderOf({ ...files, ...classes(['b'], 2) }), { convertUnusual: true });
    expect(unusual.report.skipped.length).toBe(odd.length - 3);
  });
});

describe('a faulty folder of images is refused', () => {
  it('for a class without a readable image', async () => {
    await expect(open(folderOf({ ...classes(['a', 'b'], 2), c: null }))).rejects.toMatchObject({
      code: 'data-empty-class',
      message: 'class "c" has no readable image in train',
    });
    const files = { ...classes(['a', 'b'], 2, { prefix: 'train/' }), 'val/a/1.png': 'plain.png', 'val/b/1.png': 'cut.png' };
    await expect(open(folderOf(files))).rejects.toThrow('class "b" has no readable image in val');
  });

  it('for a class that validation would leave without training images', async () => {
    await expect(open(folderOf({ ...classes(['a'], 3), 'b/1.png': 'plain.png' }))).rejects.toMatchObject({
      code: 'data-empty-class',
      message: 'class "b" has no readable image in train; its only one would be needed for validation',
    });
  });

  it('for having one class only', async () => {
    await expect(open(folderOf(classes(['only'], 4)))).rejects.toMatchObject({
      code: 'data-one-class',
      message: 'only one class: only; at least 2 are needed',
    });
  });

  it('for a validation class that training does not have', async () => {
    const files = { ...classes(['a', 'b'], 2, { prefix: 'train/' }), ...classes(['c'], 1, { prefix: 'val/' }) };
    await expect(open(folderOf(files))).rejects.toMatchObject({
      code: 'data-class-mismatch',
      message: 'class "c" is in val but not in train',
    });
    const elsewhere = folderOf(classes(['a', 'd'], 1));
    await expect(open(folderOf(classes(['a', 'b'], 2)), { valSource: elsewhere })).rejects.toThrow(
      `class "d" is in ${elsewhere} but not in train`,
    );
  });

  it('for too many broken images, with the first of them', async () => {
    const broken = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`a/${String(i).padStart(2, '0')}x.png`, 'empty.png']));
    await expect(open(folderOf({ ...broken, ...classes(['a', 'b'], 5) }))).rejects.toMatchObject({
      code: 'data-too-many-broken',
      message: '11 of 21 images unreadable, limit 10; first: a/00x.png: is empty or not a JPEG, PNG, WebP, GIF or TIFF image',
    });
    const allowed = await open(folderOf({ ...broken, ...classes(['a', 'b'], 5) }), { maxBroken: 0.6 });
    expect(allowed.report.skipped.length).toBe(11);
  });

  it('for not being there, for not being a folder, for holding nothing', async () => {
    const root = folderOf({ 'file.png': 'plain.png', empty: null });
    const missing = path.join(root, 'nowhere');
    await expect(open(missing)).rejects.toMatchObject({ code: 'data-not-found', message: `${missing}: not found` });
    await expect(open(path.join(root, 'file.png'))).rejects.toMatchObject({
      code: 'data-unreadable',
      message: expect.stringContaining(`${path.join(root, 'file.png')}: ENOTDIR`),
    });
    await expect(open(path.join(root, 'empty'))).rejects.toMatchObject({
      code: 'data-unreadable',
      message: expect.stringContaining('no IDX'),
    });
  });

  it('for having no training images', async () => {
    await expect(open(folderOf(classes(['a', 'b'], 2, { prefix: 'val/' })))).rejects.toMatchObject({ code: 'data-not-found' });
  });

  it('at once when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    const opening = openDataset(dataSettings({ source: folderOf(classes(['a', 'b'], 2)) }), { signal });
    await expect(opening).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('an image that becomes unreadable during training', () => {
  async function withBroken(n: number): Promise<Dataset> {
    const root = folderOf({ ...classes(['a', 'b'], 30, { prefix: 'train/' }), ...classes(['a', 'b'], 3, { prefix: 'val/' }) });
    const dataset = await open(root);
    for (let i = 0; i < n; i++) writeFileSync(path.join(root, `train/a/${i}.png`), 'gone');
    writeFileSync(path.join(root, 'val/b/1.png'), 'gone');
    return dataset;
  }

  it('is replaced by the next of its class, told once, the same with any number of workers', async () => {
    const dataset = await withBroken(3);
    const seen: unknown[] = [];
    for (const workers of [0, 2]) {
      const config = configFor(dataset, { data: { workers }, train: { batchSize: 20, microBatch: 20 } });
      const stream = openTrainBatches(dataset, config);
      const batches = [];
      for (let i = 0; i < 6; i++) batches.push(await stream.next());
      await stream.close();
      const told = batches.flatMap(({ replaced }) => replaced);
      expect(told.map((entry) => path.basename(entry.path)).sort()).toEqual(['0.png', '1.png', '2.png']);
      for (const { by } of told) expect(dataset.train.labels[by as number]).toBe(0);
      for (const batch of batches) {
        expect(batch.count).toBe(20);
        expect([...batch.labels]).toEqual(Array.from(batch.sampleIds, (id) => dataset.train.labels[id]));
      }
      seen.push(batches.map(({ patches, sampleIds }) => [patches, sampleIds]));
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it('stops training once there are more than the limit', async () => {
    const dataset = await withBroken(11);
    const stream = openTrainBatches(dataset, configFor(dataset, { train: { batchSize: 60, microBatch: 60 } }));
    await expect(stream.next()).rejects.toMatchObject({ code: 'data-too-many-broken' });
    await stream.close();
  });

  it('is left out of evaluation', async () => {
    const dataset = await withBroken(0);
    const batches = await evaluate(dataset, 4);
    expect(await evaluate(dataset, 4, 2)).toEqual(batches);
    expect(batches.map(({ count }) => count)).toEqual([4, 1]);
    expect(batches.flatMap(({ replaced }) => replaced.map((entry) => entry.by))).toEqual([null]);
  });
});
