/** WebDataset shards: three dialects of tar as Python writes them, plain and compressed; what a sample is; each fault with its own message. */
import { existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openTrainBatches } from '../../main/data/batches.ts';
import { duplicatesAcross } from '../../main/data/duplicates.ts';
import { configFor } from './dataConfig.ts';
import {
  contentOf,
  expected,
  folderWith,
  golden,
  goldenTar,
  namesOf,
  numberedTar,
  open,
  ownDataRoot,
  pngOf,
  refusal,
  tarOf,
} from './shardSets.ts';

let dataRoot = '';
beforeEach(() => {
  dataRoot = ownDataRoot();
  return () => vi.unstubAllEnvs();
});

describe('a shard as Python writes it', () => {
  it.each(['ustar', 'pax', 'gnu'] as const)('%s: names, labels and pixels are those webdataset reads', async (dialect) => {
    // The same shard is the validation split, so that no image is set aside.
    const root = folderWith({ 'train.tar': goldenTar(dialect), 'val.tar': goldenTar(dialect) });
    const dataset = await open(root);
    expect([dataset.format, dataset.channels, dataset.classNames]).toEqual(['webdataset', 3, ['0', '1']]);
    expect(namesOf(dataset.train)).toEqual(expected[dialect].map((name) => `train.tar/${name}`));
    expect([...dataset.train.labels]).toEqual(expected.labels);
    expect((await contentOf(dataset, 'train')).pixels).toEqual(expected.pixels);
    expect(dataset.report.notes).toEqual([]);
  });

  it.each(['ustar', 'pax', 'gnu'] as const)('%s, compressed: the same, unpacked once below the data root', async (dialect) => {
    const root = folderWith({ 'train.tar.gz': golden(`${dialect}.tar.gz`), 'val.tgz': golden(`${dialect}.tar.gz`) });
    const dataset = await open(root);
    expect((await contentOf(dataset, 'train')).pixels).toEqual(expected.pixels);
    expect((await contentOf(dataset, 'val')).pixels).toEqual(expected.pixels);
    const unpacked = path.join(dataRoot, 'unpacked');
    expect(
      readdirSync(unpacked)
        .map((name) => path.extname(name))
        .sort(),
    ).toEqual(['.images', '.images', '.json', '.json']);
    const before = readdirSync(unpacked).map((name) => statSync(path.join(unpacked, name)).ino);
    const again = await open(root);
    expect([again.fingerprint, readdirSync(unpacked).map((name) => statSync(path.join(unpacked, name)).ino)]).toEqual([
      dataset.fingerprint,
      before,
    ]);
  });

  it('gives the same data set compressed or not, apart from the names of its files', async () => {
    const plain = await open(folderWith({ 'train.tar': goldenTar('gnu'), 'val.tar': goldenTar('gnu') }));
    const packed = await open(folderWith({ 'train.tar': golden('gnu.tar.gz'), 'val.tar': golden('gnu.tar.gz') }));
    expect(packed.fingerprint).toBe(plain.fingerprint);
  });
});

describe('what was unpacked', () => {
  it('is made anew when it is deleted, cut, or the shard has changed', async () => {
    const root = folderWith({ 'train.tar.gz': golden('pax.tar.gz'), 'val.tar.gz': golden('pax.tar.gz') });
    const unpacked = path.join(dataRoot, 'unpacked');
    const { fingerprint } = await open(root);
    const images = readdirSync(unpacked).filter((name) => name.endsWith('.images'));
    rmSync(path.join(unpacked, images[0] as string));
    writeFileSync(path.join(unpacked, images[1] as string), 'cut');
    const again = await open(root);
    expect([again.fingerprint, (await contentOf(again, 'train')).pixels]).toEqual([fingerprint, expected.pixels]);
    writeFileSync(path.join(root, 'train.tar.gz'), gzipSync(await numberedTar(4)));
    expect((await open(root)).train.count).toBe(4);
  });

  it('goes when nobody has opened it for a month', async () => {
    const unpacked = path.join(dataRoot, 'unpacked');
    await open(folderWith({ 'train.tar.gz': golden('pax.tar.gz'), 'val.tar.gz': golden('pax.tar.gz') }));
    const old = readdirSync(unpacked).map((name) => path.join(unpacked, name));
    for (const file of old) utimesSync(file, 1, Date.now() / 1000 - 31 * 24 * 3600);
    await open(folderWith({ 'train.tar.gz': golden('gnu.tar.gz'), 'val.tar.gz': golden('gnu.tar.gz') }));
    expect(old.filter((file) => existsSync(file))).toEqual([]);
  });

  it('is not needed for plain shards: a data root that cannot be written only costs time', async () => {
    const nowhere = path.join(folderWith({ file: Buffer.alloc(0) }), 'file');
    vi.stubEnv('PRELORA_DATA_DIR', nowhere);
    const root = folderWith({ 'train.tar': goldenTar('gnu'), 'train.tar.gz': golden('gnu.tar.gz') });
    expect((await open(path.join(root, 'train.tar'), { valFraction: 0.5, valSource: path.join(root, 'train.tar') })).train.count).toBe(3);
    const message = await refusal(path.join(root, 'train.tar.gz'));
    expect(message).toContain(`${path.join(root, 'train.tar.gz')}: its images must be unpacked to be shuffled; ENOTDIR`);
    expect(message).toContain('let PRELORA_DATA_DIR name another folder');
  });
});

describe('a source in shards', () => {
  it('takes splits by words of their names, also of their folders, and tells where validation comes from', async () => {
    const shard = await numberedTar(6);
    const root = folderWith({
      'a-train-0.tar': shard,
      'a-train-1.tar': shard,
      'a-VAL-0.tar': shard,
      'latest-train.tar': shard,
      'notes.txt': shard,
    });
    const dataset = await open(root);
    expect([dataset.train.count, dataset.val.count, dataset.valOrigin]).toEqual([18, 6, 'the val split of the source']);
    const folders = await open(folderWith({ 'data/train/0.tar': shard, 'data/validation/0.tar': shard, 'data/test/0.tar': shard }));
    expect([folders.format, namesOf(folders.val)[0]]).toEqual(['webdataset', 'data/validation/0.tar/0.png']);
  });

  it('without splits sets a part of each class aside, by hash', async () => {
    const root = folderWith({ 'x-000.tar': await numberedTar(30), 'x-001.tar': await numberedTar(30, { from: 30 }) });
    const dataset = await open(root, { valFraction: 0.2 });
    expect([dataset.train.count, dataset.val.count]).toEqual([48, 12]);
    expect(namesOf((await open(root, { valFraction: 0.2 })).val)).toEqual(namesOf(dataset.val));
    expect(namesOf((await open(root, { valFraction: 0.2, splitKey: 'other' })).val)).not.toEqual(namesOf(dataset.val));
  });

  it('can be one file, counted files, or a pattern with stars; a missing one is named', async () => {
    const shard = await numberedTar(6);
    const names = [8, 9, 10, 11].map((i) => `shards/s-${String(i).padStart(3, '0')}.tar`);
    const root = path.join(folderWith(Object.fromEntries(names.map((name) => [name, shard]))), 'shards');
    const counts = [];
    for (const source of ['s-008.tar', 's-{008..011}.tar', 's-{008,010}.tar', 's-*.tar', 's-01?.tar', '../*/s-0*.tar']) {
      const { train, val } = await open(path.join(root, source), { maxTrain: null });
      counts.push(train.count + val.count);
    }
    expect(counts).toEqual([6, 24, 12, 24, 12, 24]);
    expect(await refusal(path.join(root, 's-{008..012}.tar'))).toBe(`data-not-found: ${path.join(root, 's-012.tar')}: not found`);
    expect(await refusal(path.join(root, 't-*.tar'))).toBe(`data-not-found: ${path.join(root, 't-*.tar')}: not found`);
    expect(await refusal(path.join(root, 's-{0..99999999}.tar'))).toContain(
      'bad-config: data.source {0..99999999} names more than 1,000,000',
    );
    expect(await refusal(root, { format: 'parquet' })).toBe(`data-not-found: ${root}: no .parquet files in it`);
  });

  it('takes validation from other shards, given as data.valSource', async () => {
    const root = folderWith({ 'a.tar': await numberedTar(9), 'held-out.tar': await numberedTar(6) });
    const dataset = await open(path.join(root, 'a.tar'), { valSource: path.join(root, 'held-*.tar') });
    expect([dataset.train.count, dataset.val.count, namesOf(dataset.val)[0]]).toEqual([9, 6, 'held-out.tar/0.png']);
  });

  it('takes class names from a file beside the shards', async () => {
    const names = Buffer.from('ant\nbee\ncat\ndog\n');
    const dataset = await open(folderWith({ 'a.tar': await numberedTar(30), 'classnames.txt': names }));
    expect([dataset.classNames, dataset.report.notes]).toEqual([['ant', 'bee', 'cat', 'dog'], ['no training images of "dog"']]);
  });

  it('is a folder of images when downloads lie beside one', async () => {
    const png = await pngOf(1);
    const files = Object.fromEntries(['a', 'b'].flatMap((name) => [1, 2].map((i) => [`train/${name}/${i}.png`, png])));
    expect((await open(folderWith({ ...files, 'original_train.tar': await numberedTar(3) }))).format).toBe('folder');
  });

  it('finds images that are in both splits, and reports counts and broken images', async () => {
    const val = await tarOf([
      ['x.png', await pngOf(2)],
      ['x.cls', '1'],
      ['y.png', await pngOf(77)],
      ['y.cls', '0'],
      ['z.png', 'no image'],
      ['z.cls', '0'],
    ]);
    const dataset = await open(folderWith({ 'train.tar': await numberedTar(6), 'val.tar': val }));
    expect(await duplicatesAcross(dataset.train, dataset.val)).toEqual({
      count: 1,
      examples: [{ train: 'train.tar/2.png', val: 'val.tar/x.png' }],
    });
    expect(dataset.report.images).toEqual({ train: 6, val: 2 });
    expect(dataset.report.skipped).toEqual([{ path: 'val.tar/z.png', reason: 'is empty or not a JPEG, PNG, WebP, GIF or TIFF image' }]);
  });
});

describe('a sample', () => {
  it('has its label in a json where it has no cls: a number, or a name, under data.labelField', async () => {
    const root = folderWith({ 'train.tar': goldenTar('json'), 'val.tar': goldenTar('json') });
    expect([...(await open(root)).train.labels]).toEqual(expected.labels);
    const named = await open(root, { labelField: 'kind' });
    expect([named.classNames, (await contentOf(named, 'train')).classes]).toEqual([
      ['ant', 'dog'],
      ['dog', 'ant', 'dog'],
    ]);
    expect(await refusal(root, { labelField: 'sort' })).toBe(
      `tar-sample: ${root}/train.tar: sample 0 has no label: its json has no "sort"; data.labelField names the key of a whole number or a name`,
    );
  });

  it.each([
    ['no image', [['a.cls', '1']], 'sample a has no image'],
    ['no label', [['a.png', 'x']], 'sample a has no label: neither cls nor json'],
    [
      'two images',
      [
        ['a.png', 'x'],
        ['a.jpg', 'x'],
        ['a.cls', '1'],
      ],
      'sample a has two images, a.png and a.jpg; one is needed',
    ],
    [
      'a label in words',
      [
        ['a.png', 'x'],
        ['a.cls', 'cat'],
      ],
      'sample a has no label: its cls is cat, a whole number is needed',
    ],
    [
      'a json that is none',
      [
        ['a.png', 'x'],
        ['a.json', '{"lab'],
      ],
      'sample a has no label: its json has no "label"; data.labelField names',
    ],
    [
      'half a label',
      [
        ['a.png', 'x'],
        ['a.json', '{"label": 1.5}'],
      ],
      'sample a has no label: its json has 1.5 as "label"; data.labelField names',
    ],
  ] as [string, [string, string][], string][])('with %s is fatal, and named', async (_, members, message) => {
    const root = folderWith({ 'a.tar': await tarOf(members) });
    expect(await refusal(root)).toContain(`tar-sample: ${root}/a.tar: ${message}`);
  });

  it('ends where the key changes: folders tell samples apart, what is neither image nor label is passed over', async () => {
    const [one, two, three] = [await pngOf(1), await pngOf(2), await pngOf(3)];
    const members = [
      ['./a/1.png', one],
      ['./a/1.cls', '0'],
      ['b/1.cls', ' 1\n'],
      ['b/1.png', two],
      ['readme.md', 'x'],
      ['__meta__', 'x'],
      ['.hidden.png', 'x'],
      ['c.v2/1.png', three],
      ['c.v2/1.depth.png', one],
      ['c.v2/1.cls', '0'],
    ] as const;
    const dataset = await open(folderWith({ 'train.tar': await tarOf(members), 'val.tar': await tarOf(members) }));
    expect([namesOf(dataset.train), [...dataset.train.labels]]).toEqual([
      ['train.tar/a/1.png', 'train.tar/b/1.png', 'train.tar/c.v2/1.png'],
      [0, 1, 0],
    ]);
    expect(dataset.report.notes).toContain('train.tar: 1 samples with neither image nor label were passed over');
  });

  it('with a label outside the classes is fatal', async () => {
    const root = folderWith({ 'train.tar': await numberedTar(6), 'val.tar': await numberedTar(6, { classes: 5 }) });
    expect(await refusal(root)).toBe(`label-range: ${root}/val.tar: 3.png: label 3 outside 0…2`);
    const negative = folderWith({
      'a.tar': await tarOf([
        ['a.png', await pngOf(0)],
        ['a.cls', '-1'],
      ]),
    });
    expect(await refusal(negative)).toBe(`label-range: ${negative}/a.tar: a.png: label -1 outside 0…999999`);
    const huge = folderWith({
      'a.tar': await tarOf([
        ['a.png', await pngOf(0)],
        ['a.cls', '4000000000'],
      ]),
    });
    expect(await refusal(huge)).toBe(`label-range: ${huge}/a.tar: a.png: label 4000000000 outside 0…999999`);
  });
});

describe('a shard cut short', () => {
  it('is refused wherever it is cut, with the member it ends in; between two samples it is noted', async () => {
    const whole = goldenTar('ustar');
    const outcomes = new Set<string>();
    for (let at = 256; at < 9 * 1024; at += 256) {
      const root = folderWith({ 'train.tar': whole.subarray(0, at), 'val.tar': whole });
      const message = await refusal(root);
      if (message === 'opened') {
        expect((await open(root)).report.notes).toContain('train.tar: has no end mark, so that it may have been cut off after a sample');
      }
      outcomes.add(message.replace(root, ''));
    }
    expect([...outcomes]).toContain(`tar-truncated: /train.tar: ends inside ${expected.ustar[0]}`);
    expect(
      [...outcomes].filter((text) => !/^(tar-truncated|tar-sample|data-not-found|data-one-class|label-range|opened)/.test(text)),
    ).toEqual([]);
  });

  it('is refused when it is compressed, too', async () => {
    const root = folderWith({ 'a.tar.gz': golden('gnu.tar.gz').subarray(0, 400) });
    expect(await refusal(root)).toContain(`tar-truncated: ${root}/a.tar.gz: ends inside `);
    expect(readdirSync(path.join(dataRoot, 'unpacked'))).toEqual([]);
  });

  it('what is no tar at all says so', async () => {
    const root = folderWith({ 'a.tar': Buffer.alloc(2048, 7) });
    expect(await refusal(root)).toMatch(/^data-unreadable: .*a\.tar: Invalid tar header/);
  });
});

describe('training batches from shards', () => {
  const labelsOf = async (root: string, fromStep: number, workers: number, steps = 12): Promise<unknown[]> => {
    const dataset = await open(root);
    const stream = openTrainBatches(dataset, configFor(dataset, { data: { workers } }), { fromStep });
    const seen = [];
    for (let i = 0; i < steps; i++) {
      const { step, sampleIds, labels, patches } = await stream.next();
      seen.push([
        step,
        [...sampleIds],
        [...labels],
        Buffer.from(patches.buffer, patches.byteOffset, patches.byteLength).toString('base64'),
      ]);
    }
    await stream.close();
    return seen;
  };

  it('are the same after a resume, for any number of workers, and from plain and compressed shards', async () => {
    const shards = [await numberedTar(10), await numberedTar(10, { from: 10 })];
    const plain = folderWith({ 'train-0.tar': shards[0] as Buffer, 'train-1.tar': shards[1] as Buffer, 'val.tar': await numberedTar(6) });
    const packed = folderWith({
      'train-0.tar': gzipSync(shards[0] as Buffer),
      'train-1.tar': gzipSync(shards[1] as Buffer),
      'val.tar': await numberedTar(6),
    });
    const whole = await labelsOf(plain, 0, 0);
    expect(await labelsOf(plain, 7, 0, 5)).toEqual(whole.slice(7));
    expect(await labelsOf(plain, 0, 2)).toEqual(whole);
    expect(await labelsOf(packed, 0, 1)).toEqual(whole);
    rmSync(path.join(dataRoot, 'unpacked'), { recursive: true });
    expect(await labelsOf(packed, 7, 0, 5)).toEqual(whole.slice(7));
  });

  it('mix the shards from the first step on', async () => {
    const dataset = await open(
      folderWith({ 'train-0.tar': await numberedTar(30), 'train-1.tar': await numberedTar(30), 'val.tar': await numberedTar(3) }),
    );
    const stream = openTrainBatches(dataset, configFor(dataset, { train: { batchSize: 8, microBatch: 8 } }));
    const { sampleIds } = await stream.next();
    expect(new Set([...sampleIds].map((id) => (id < 30 ? 0 : 1))).size).toBe(2);
    await stream.close();
  });
});
