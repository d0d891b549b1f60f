/** CIFAR in its binary versions: what is read, and each fault with its own message. Built from the published description. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../main/data/dataset.ts';
import { packedImage, type Split } from '../../main/data/images.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { dataSettings } from './dataConfig.ts';

/** Records with these label bytes; the planes of record i hold i, 100 + i and 200 + i. */
function records(labels: number[][]): Buffer {
  return Buffer.concat(
    labels.map((bytes, i) => Buffer.concat([Buffer.from(bytes), ...[i, 100 + i, 200 + i].map((value) => Buffer.alloc(1024, value))])),
  );
}

function cifar10(labels = [3, 0, 9]): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'data_batch_1.bin'), records(labels.map((label) => [label])));
  writeFileSync(path.join(folder, 'data_batch_2.bin'), records([[1], [2]]));
  writeFileSync(path.join(folder, 'test_batch.bin'), records([[5], [6]]));
  return folder;
}

function cifar100(): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'train.bin'), records([[19, 99], [0, 7], [1, 3]])); // biome-ignore format: one line
  writeFileSync(path.join(folder, 'test.bin'), records([[2, 50]]));
  return folder;
}

const open = (folder: string, overrides = {}) => openDataset(dataSettings({ source: folder, ...overrides }));
const pixelOf = ({ images }: Split, sample: number): number[] => {
  if (images.kind !== 'packed') throw new Error('not packed');
  return [...packedImage(images, sample).pixels.subarray(0, 6)];
};

describe('CIFAR', () => {
  it('10 is read over its files, planes turned into pixels', async () => {
    const dataset = await open(cifar10());
    expect([dataset.format, dataset.channels, dataset.rawSize, dataset.classNames.length]).toEqual(['cifar10', 3, [32, 32], 10]);
    expect([...dataset.train.labels]).toEqual([3, 0, 9, 1, 2]);
    expect(pixelOf(dataset.train, 2)).toEqual([2, 102, 202, 2, 102, 202]);
    expect(pixelOf(dataset.train, 3)).toEqual([0, 100, 200, 0, 100, 200]);
    expect([...dataset.val.labels]).toEqual([5, 6]);
    expect(dataset.normalization.mean).toEqual([0.4914, 0.4822, 0.4465]);
    expect(dataset.report.notes).toEqual(['3 of 5 training files are not there', 'no training images of "4", "5", "6", "7", "8"']);
  });

  it('10 takes names from batches.meta.txt, which ends with empty lines', async () => {
    const folder = cifar10();
    const names = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
    writeFileSync(path.join(folder, 'batches.meta.txt'), `${names.join('\n')}\n\n`);
    expect((await open(folder)).classNames).toEqual(names);
  });

  it('10 is found inside the folder its archive unpacks to', async () => {
    const parent = temporaryFolder();
    mkdirSync(path.join(parent, 'cifar-10-batches-bin'));
    writeFileSync(path.join(parent, 'cifar-10-batches-bin', 'data_batch_1.bin'), records([[0], [1], [0], [1]]));
    expect((await open(parent)).format).toBe('cifar10');
  });

  it('100 gives fine or coarse labels', async () => {
    const folder = cifar100();
    const fine = await open(folder);
    const coarse = await open(folder, { labelLevel: 'coarse' });
    expect([...fine.train.labels, fine.classNames.length]).toEqual([99, 7, 3, 100]);
    expect([...coarse.train.labels, coarse.classNames.length]).toEqual([19, 0, 1, 20]);
    expect(fine.normalization.mean).toEqual([0.5071, 0.4865, 0.4409]);
    expect(fine.fingerprint).not.toBe(coarse.fingerprint);
  });
});

describe('faulty CIFAR files are refused', () => {
  it('for a size that is no multiple of a record', async () => {
    const folder = cifar10();
    writeFileSync(path.join(folder, 'data_batch_2.bin'), Buffer.alloc(3074));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'cifar-length',
      message: `${path.join(folder, 'data_batch_2.bin')}: 3074 bytes is not a multiple of 3073`,
    });
    const other = cifar100();
    writeFileSync(path.join(other, 'train.bin'), Buffer.alloc(3073));
    await expect(open(other)).rejects.toThrow('3073 bytes is not a multiple of 3074');
  });

  it('for being empty', async () => {
    const folder = cifar10();
    writeFileSync(path.join(folder, 'data_batch_1.bin'), '');
    await expect(open(folder)).rejects.toThrow('0 bytes is not a multiple of 3073');
  });

  it('for being the Python version, by name or by content', async () => {
    const folder = temporaryFolder();
    for (const name of ['data_batch_1', 'batches.meta']) writeFileSync(path.join(folder, name), Buffer.from([0x80, 2, 0x7d]));
    const message = `${path.join(folder, 'data_batch_1')}: this is the Python version (pickle); use the binary version`;
    await expect(open(folder)).rejects.toMatchObject({ code: 'cifar-pickle', message });
    const renamed = temporaryFolder();
    writeFileSync(path.join(renamed, 'data_batch_1.bin'), Buffer.from([0x80, 2, 0x7d, 0x71]));
    await expect(open(renamed)).rejects.toMatchObject({ code: 'cifar-pickle' });
    const hundred = temporaryFolder();
    for (const name of ['train', 'meta']) writeFileSync(path.join(hundred, name), Buffer.from([0x80, 2, 0x7d]));
    await expect(open(hundred)).rejects.toMatchObject({ code: 'cifar-pickle' });
  });

  it('for labels out of range, fine, coarse and named', async () => {
    const folder = cifar10([3, 10]);
    const where = path.join(folder, 'data_batch_1.bin');
    await expect(open(folder)).rejects.toMatchObject({ code: 'label-range', message: `${where}: label 10 outside 0…9` });
    const hundred = cifar100();
    writeFileSync(path.join(hundred, 'test.bin'), records([[20, 100]]));
    await expect(open(hundred)).rejects.toThrow('label 100 outside 0…99');
    await expect(open(hundred, { labelLevel: 'coarse' })).rejects.toThrow('label 20 outside 0…19');
  });

  it('for a missing first file', async () => {
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'test_batch.bin'), records([[0], [1]]));
    await expect(open(folder)).rejects.toMatchObject({
      code: 'data-not-found',
      message: `${path.join(folder, 'data_batch_1.bin')}: not found`,
    });
  });
});
