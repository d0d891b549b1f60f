/** IDX files: what is read, and each fault with its own message. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openIdx } from '../../main/data/idx.ts';
import { type PackedImages, packedImage, type Split } from '../../main/data/images.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { idxBytes, writeTinyIdx } from './dataConfig.ts';

function write(folder: string, name: string, bytes: Uint8Array): void {
  writeFileSync(path.join(folder, name), bytes);
}

/** Two 2 × 3 images and their labels, in files that a test may then spoil. */
function smallSet(labels = [0, 1]): string {
  const folder = temporaryFolder();
  write(folder, 'train-images-idx3-ubyte', idxBytes([2, 2, 3], Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
  write(folder, 'train-labels-idx1-ubyte', idxBytes([labels.length], Uint8Array.from(labels)));
  return folder;
}

const images = (split: Split | undefined): PackedImages => split?.images as PackedImages;

describe('IDX files', () => {
  it('are read plain and compressed, told by content', async () => {
    for (const pack of [(bytes: Buffer) => bytes, (bytes: Buffer) => gzipSync(bytes)]) {
      const folder = temporaryFolder();
      write(folder, 'train-images-idx3-ubyte', pack(idxBytes([2, 2, 3], Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))));
      write(folder, 'train-labels-idx1-ubyte.gz', pack(idxBytes([2], Uint8Array.from([1, 0]))));
      const { splits, classNames, channels, rawSize } = await openIdx(folder);
      expect({ classNames, channels, rawSize }).toEqual({ classNames: ['0', '1'], channels: 1, rawSize: [2, 3] });
      expect([...(splits.train?.labels ?? [])]).toEqual([1, 0]);
      const second = packedImage(images(splits.train), 1);
      expect([second.height, second.width, ...second.pixels]).toEqual([2, 3, 7, 8, 9, 10, 11, 12]);
    }
  });

  it('lie in shared memory, so that workers need no copy', async () => {
    const { splits } = await openIdx(smallSet());
    expect(images(splits.train).pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('may have channels last', async () => {
    const folder = temporaryFolder();
    write(folder, 'train-images-idx4-ubyte', idxBytes([2, 1, 2, 3], Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
    write(folder, 'train-labels-idx1-ubyte', idxBytes([2], Uint8Array.from([0, 1])));
    const { channels, rawSize } = await openIdx(folder);
    expect([channels, rawSize]).toEqual([3, [1, 2]]);
  });

  it('are transposed on request (EMNIST)', async () => {
    const { splits, rawSize } = await openIdx(smallSet(), true);
    expect(rawSize).toEqual([3, 2]);
    expect([...packedImage(images(splits.train), 0).pixels]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('take class names from labels.txt', async () => {
    const folder = smallSet();
    write(folder, 'labels.txt', Buffer.from('Größe\nナイフ\nthird\n'));
    expect((await openIdx(folder)).classNames).toEqual(['Größe', 'ナイフ', 'third']);
  });

  it('of EMNIST, with a prefix and "test", are found', async () => {
    const folder = temporaryFolder();
    writeTinyIdx(folder, 4, { split: 'emnist-letters-train' });
    writeTinyIdx(folder, 5, { split: 'emnist-letters-test' });
    const { splits } = await openIdx(folder);
    expect([splits.train?.count, splits.test?.count]).toEqual([4, 5]);
  });
});

describe('a faulty IDX file is refused', () => {
  const image = (folder: string) => path.join(folder, 'train-images-idx3-ubyte');
  const label = (folder: string) => path.join(folder, 'train-labels-idx1-ubyte');

  async function refusal(folder: string): Promise<string> {
    const error = await openIdx(folder).then(
      () => null,
      (thrown: Error & { code: string }) => thrown,
    );
    return `${error?.code}: ${error?.message}`;
  }

  it('for a wrong magic number', async () => {
    const folder = smallSet();
    write(folder, 'train-images-idx3-ubyte', Buffer.from('89504e470d0a1a0a', 'hex'));
    expect(await refusal(folder)).toBe(`idx-magic: ${image(folder)}: begins 89504e47, expected 00000803 (images) or 00000801 (labels)`);
  });

  it('for labels where images should be', async () => {
    const folder = smallSet();
    write(folder, 'train-images-idx3-ubyte', idxBytes([2], Uint8Array.from([0, 1])));
    expect(await refusal(folder)).toContain('idx-magic');
  });

  it('for being empty', async () => {
    const folder = smallSet();
    write(folder, 'train-images-idx3-ubyte', Buffer.alloc(0));
    expect(await refusal(folder)).toContain('begins with nothing, expected 00000803');
  });

  it('for bytes missing or left over', async () => {
    for (const [extra, actual] of [
      [-1, 27],
      [1, 29],
    ] as const) {
      // biome-ignore format: one line
      const folder = smallSet();
      write(folder, 'train-images-idx3-ubyte', idxBytes([2, 2, 3], new Uint8Array(12 + extra)));
      expect(await refusal(folder)).toBe(`idx-length: ${image(folder)}: header says 28 bytes, file has ${actual}`);
    }
  });

  it('for ending inside the header', async () => {
    const folder = smallSet();
    write(folder, 'train-images-idx3-ubyte', Buffer.from('0000080300000002', 'hex'));
    expect(await refusal(folder)).toBe(`idx-length: ${image(folder)}: header says 16 bytes, file has 8`);
  });

  it('for claiming 2^31 images, plain or compressed, before memory is taken', async () => {
    for (const pack of [(bytes: Buffer) => bytes, (bytes: Buffer) => gzipSync(bytes)]) {
      const folder = smallSet();
      write(folder, 'train-images-idx3-ubyte', pack(idxBytes([2 ** 31, 28, 28], new Uint8Array(100))));
      const before = process.memoryUsage().rss;
      expect(await refusal(folder)).toContain(`idx-length: ${image(folder)}: header says ${2 ** 31 * 784 + 16} bytes, file has 11`);
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    }
  });

  it('for a compressed body that is shorter or longer than the header says', async () => {
    for (const bytes of [11, 13]) {
      const folder = smallSet();
      write(folder, 'train-images-idx3-ubyte', gzipSync(idxBytes([2, 2, 3], new Uint8Array(bytes))));
      expect(await refusal(folder)).toBe(`idx-length: ${image(folder)}: header says 28 bytes, file has ${bytes + 16}`);
    }
  });

  it('for a compressed file that is cut or damaged', async () => {
    const whole = gzipSync(
      idxBytes(
        [2, 20, 30],
        Uint8Array.from({ length: 1200 }, (_, i) => (i * i) % 251),
      ),
    );
    const folder = smallSet();
    write(folder, 'train-images-idx3-ubyte', whole.subarray(0, 300));
    expect(await refusal(folder)).toContain('idx-length');
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 100, 130);
    write(folder, 'train-images-idx3-ubyte', damaged);
    expect(await refusal(folder)).toMatch(/^(data-unreadable|idx-length): /);
  });

  it('for images without pixels, or without images', async () => {
    for (const dimensions of [
      [0, 28, 28],
      [2, 0, 28],
      [1, 20_000, 20_000],
    ]) {
      // biome-ignore format: one line
      const folder = smallSet();
      write(folder, 'train-images-idx3-ubyte', idxBytes(dimensions, new Uint8Array(0)));
      expect(await refusal(folder)).toContain(`idx-length: ${image(folder)}: header says ${dimensions[0]} images of ${dimensions[1]}×`);
    }
  });

  it('for other numbers of images and labels', async () => {
    const folder = smallSet([0, 1, 1]);
    expect(await refusal(folder)).toBe(`idx-pair: ${image(folder)} has 2 images, ${label(folder)} has 3 labels`);
  });

  it('for a label outside the named classes', async () => {
    const folder = smallSet([0, 2]);
    write(folder, 'labels.txt', Buffer.from('a\nb\n'));
    expect(await refusal(folder)).toBe(`label-range: ${label(folder)}: label 2 outside 0…1`);
  });

  it('for a test label that training does not have', async () => {
    const folder = temporaryFolder();
    writeTinyIdx(folder, 4, { classes: 2 });
    writeTinyIdx(folder, 4, { split: 't10k', classes: 3 });
    expect(await refusal(folder)).toBe(`label-range: ${path.join(folder, 't10k-labels-idx1-ubyte')}: label 2 outside 0…1`);
  });

  it('for test images of another size than training has', async () => {
    const folder = temporaryFolder();
    writeTinyIdx(folder, 4);
    writeTinyIdx(folder, 4, { split: 't10k', side: 9 });
    expect(await refusal(folder)).toContain('training images are 8×8×1, test images 9×9×1; they must be the same');
  });

  it('for a missing partner', async () => {
    const folder = temporaryFolder();
    write(folder, 'train-images-idx3-ubyte.gz', Buffer.alloc(0));
    expect(await refusal(folder)).toBe(`data-not-found: ${path.join(folder, 'train-labels-idx1-ubyte.gz')}: not found`);
  });

  it('for a folder in its place', async () => {
    const folder = smallSet();
    mkdirSync(path.join(folder, 'labels.txt'));
    expect(await refusal(folder)).toContain(`data-unreadable: ${path.join(folder, 'labels.txt')}: EISDIR`);
  });

  it('for two sets in one folder', async () => {
    const folder = temporaryFolder();
    writeTinyIdx(folder, 4, { split: 'emnist-digits-train' });
    writeTinyIdx(folder, 4, { split: 'emnist-letters-train' });
    expect(await refusal(folder)).toContain('holds several IDX sets ("emnist-digits-", "emnist-letters-")');
  });
});
