/** Images in both splits, of packed sets and of folders. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { duplicatesAcross } from '../../main/data/duplicates.ts';
import type { Split } from '../../main/data/images.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** A split of images of one pixel with these values, stored in another order than they are read. */
function packed(name: string, values: readonly number[]): Split {
  const rows = Uint32Array.from(values, (_, i) => values.length - 1 - i);
  const images = { kind: 'packed' as const, pixels: Uint8Array.from(values).reverse(), height: 1, width: 1, channels: 1, rows };
  return { name, count: values.length, labels: new Uint32Array(values.length), images };
}

function files(name: string, contents: Record<string, string>): Split {
  const root = temporaryFolder();
  for (const [file, text] of Object.entries(contents)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  const paths = Object.keys(contents);
  return { name, count: paths.length, labels: new Uint32Array(paths.length), images: { kind: 'files', root, paths } };
}

it('counts the validation images whose pixels are in training, as often as they are there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { minLength: 1 }), fc.array(fc.nat(20), { minLength: 1 }), async (train, val) => {
      const { count, examples } = await duplicatesAcross(packed('train', train), packed('val', val));
      const places = val.flatMap((value, i) => (train.includes(value) ? [i] : []));
      expect(count).toBe(places.length);
      const wanted = places.map((i) => ({ val: `val image ${i}`, train: `train image ${train.indexOf(val[i] as number)}` }));
      expect(examples).toEqual(wanted.slice(0, 20));
    }),
  );
});

it('tells files by their bytes, not by size or name', async () => {
  const train = files('train', { 'a/1.png': 'same', 'a/2.png': 'else', 'b/3.png': 'longer' });
  const val = files('val', { 'a/2.png': 'same', 'b/1.png': 'othr', 'b/3.png': 'of another length' });
  const { count, examples } = await duplicatesAcross(train, val);
  expect(count).toBe(1);
  expect(examples.map((pair) => [pair.train, pair.val].map((file) => file.slice(-7)))).toEqual([['a/1.png', 'a/2.png']]);
});

it('stops when it is told to', async () => {
  const fired = AbortSignal.abort();
  await expect(duplicatesAcross(packed('train', [1]), packed('val', [1]), fired)).rejects.toMatchObject({ code: 'interrupted' });
});
