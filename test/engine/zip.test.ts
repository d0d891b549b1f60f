import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extractZipEntry, readZipDirectory } from '../../main/engine/zip.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

// Made by CPython's zipfile: test/reference/tiny_wheel.py.
const wheel = 'test/fixtures/wheels/tiny-1.0-py3-none-any.whl';

async function extractAll(file: string): Promise<Record<string, string>> {
  const folder = temporaryFolder();
  const contents: Record<string, string> = {};
  for (const entry of await readZipDirectory(file)) {
    const target = path.join(folder, 'deep', path.basename(entry.name));
    await extractZipEntry(file, entry, target);
    contents[entry.name] = await readFile(target, 'utf8');
  }
  return contents;
}

test('members of a wheel that CPython wrote come out as they went in, stored, deflated, empty, with any name', async () => {
  expect(await extractAll(wheel)).toEqual({
    'tiny/stored.txt': 'as it is\n',
    'tiny/deflated.txt': 'again and again\n'.repeat(1000),
    'tiny/empty.txt': '',
    'tiny/größe.txt': 'größe\n',
  });
});

test('a wheel that was cut short or changed anywhere never crashes the reader: it reads, or throws an Error', async () => {
  const whole = readFileSync(wheel);
  const folder = temporaryFolder();
  const file = path.join(folder, 'damaged.whl');
  const damage = fc.record({ length: fc.nat(whole.length), at: fc.nat(whole.length - 1), byte: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(damage, async ({ length, at, byte }) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      await writeFile(file, bytes.subarray(0, Math.max(length, whole.length - 200)));
      await extractAll(file).catch((error: unknown) => expect(error).toBeInstanceOf(Error));
    }),
    { numRuns: 60 },
  );
});

test('what is no zip file is refused by name', async () => {
  const file = path.join(temporaryFolder(), 'page.html');
  await writeFile(file, '<html>'.repeat(100));
  await expect(readZipDirectory(file)).rejects.toThrow(/page\.html: not a zip file/);
});
