import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { JsonLinesWriter, readJsonLines, type TornTail } from '../../main/store/jsonLines.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const anything = z.looseObject({});

function newFile(content = ''): string {
  const file = path.join(temporaryFolder(), 'lines.jsonl');
  if (content) writeFileSync(file, content);
  return file;
}

async function read(file: string): Promise<{ records: unknown[]; torn: TornTail | null }> {
  const records: unknown[] = [];
  let torn: TornTail | null = null;
  for await (const record of readJsonLines(file, anything, (tail) => (torn = tail))) records.push(record);
  return { records, torn };
}

const record = fc.dictionary(
  fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
  fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Object.is(x, -0)),
    fc.string({ unit: 'binary' }),
    fc.constant(null),
  ),
);

test('records come back in order and unchanged, whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 8 }), async (records) => {
      const file = newFile();
      const writer = new JsonLinesWriter(file);
      for (const each of records) writer.append(each);
      writer.sync();
      writer.close();
      expect(await read(file)).toEqual({ records, torn: null });
    }),
    { numRuns: 100 },
  );
});

test('a file cut anywhere opens at its last whole line, and goes on from there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 5 }), fc.nat(), async (records, seed) => {
      const lines = records.map((each) => JSON.stringify(each));
      const whole = Buffer.from(`${lines.join('\n')}\n`);
      const length = seed % (whole.length + 1);
      const file = newFile();
      writeFileSync(file, whole.subarray(0, length));
      // A line that only lost its line end is whole.
      const ends = lines.map((_, index) => Buffer.byteLength(lines.slice(0, index + 1).join('\n')));
      const kept = ends.filter((end) => end <= length).length;
      expect((await read(file)).records).toEqual(records.slice(0, kept));
      const writer = new JsonLinesWriter(file);
      writer.append({ next: true });
      writer.close();
      expect(await read(file)).toEqual({ records: [...records.slice(0, kept), { next: true }], torn: null });
    }),
    { numRuns: 100 },
  );
});

test('what was cut off is reported with its length', async () => {
  const file = newFile('{"a":1}\n{"a":');
  expect(await read(file)).toEqual({ records: [{ a: 1 }], torn: { file, bytes: 5 } });
  const writer = new JsonLinesWriter(file);
  expect(writer.torn).toEqual({ file, bytes: 5 });
  writer.close();
  expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n');
});

test('a last line that only lost its line end is whole, and gets it back', async () => {
  const writer = new JsonLinesWriter(newFile('{"a":1}\n{"a":2}'));
  expect(writer.torn).toBeNull();
  writer.append({ a: 3 });
  writer.close();
  expect(readFileSync(writer.file, 'utf8')).toBe('{"a":1}\n{"a":2}\n{"a":3}\n');
});

test('zeros that a power cut left at the end are a torn line', async () => {
  const file = newFile(`{"a":1}\n${'\0'.repeat(5000)}`);
  const writer = new JsonLinesWriter(file);
  expect(writer.torn?.bytes).toBe(5000);
  writer.close();
});

test('a last line longer than the reading window is looked at as a whole', () => {
  const long = JSON.stringify({ text: 'x'.repeat(3_000_000) });
  const writer = new JsonLinesWriter(newFile(`{"a":1}\n${long}\n`));
  expect(writer.torn).toBeNull();
  writer.close();
});

test('lines that cross the pieces of a stream are put together', async () => {
  const records = Array.from({ length: 400 }, (_, index) => ({ index, text: 'é'.repeat(index * 13) }));
  const file = newFile(records.map((each) => `${JSON.stringify(each)}\n`).join(''));
  expect((await read(file)).records).toEqual(records);
});

test('a bad line before the last is an error naming file and line', async () => {
  const file = newFile('{"a":1}\n{"a"\n{"a":3}\n');
  await expect(read(file)).rejects.toMatchObject({ code: 'run-damaged', message: `${file}: line 2: is not the JSON of an object` });
});

test('a byte that is no UTF-8 makes a bad line', async () => {
  const file = newFile();
  writeFileSync(file, Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}\n{"a":2}\n')]));
  await expect(read(file)).rejects.toThrow('line 1: is not the JSON of an object');
});

test('a number or a list on a line is no record', async () => {
  await expect(read(newFile('[1]\n{"a":3}\n'))).rejects.toThrow('line 1: is not the JSON of an object');
  expect((await read(newFile('{"a":1}\n12'))).torn?.bytes).toBe(2);
});

test('a file that is not there has no records', async () => {
  expect(await read(path.join(temporaryFolder(), 'none.jsonl'))).toEqual({ records: [], torn: null });
});

test('a reader beside a writer sees whole lines only', async () => {
  const file = newFile();
  const writer = new JsonLinesWriter(file);
  writer.append({ a: 1 });
  appendFileSync(file, '{"half');
  expect((await read(file)).records).toEqual([{ a: 1 }]);
  writer.close();
});
