/** Event records byte by byte: the goldens of formats.md section 10, those of tensorboard's own writer, and whatever is written comes back. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import '../support/propertySeed.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BoardEvent, crc32c, eventRecord, maskedCrc, type SummaryValue, versionEvent } from '../../main/exchange/eventRecords.ts';
import { readEvents } from './eventReader.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('sums', () => {
  it('are CRC-32C, masked', () => {
    const digits = Buffer.from('123456789');
    expect(crc32c(digits).toString(16)).toBe('e3069283');
    expect(maskedCrc(digits).toString(16)).toBe('c78ab0e5');
  });
});

describe('event records', () => {
  it('begin with the version of the file', () => {
    expect(hex(eventRecord(versionEvent(1_700_000_000)))).toBe(
      '1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d',
    );
  });

  const file = path.resolve(import.meta.dirname, '../fixtures/tensorboard/golden_events.json');
  const goldens = JSON.parse(readFileSync(file, 'utf8')) as { name: string; given: BoardEvent; hex: string }[];
  it.each(goldens)("are tensorboard's own bytes: $name", ({ given, hex: golden }) => {
    expect(hex(eventRecord(given))).toBe(golden);
  });

  it('mark the start of a resumed stretch by the four bytes that readers look for', () => {
    expect(hex(eventRecord({ wallTime: 1, step: 5, isStart: true }))).toContain('3a020801');
  });
});

const number = fc.double();
/** Any text that is Unicode: no lone surrogates. */
const text = fc.string({ unit: 'binary' });
const histogram = fc
  .record({ min: number, max: number, count: number, sum: number, sumSquares: number, bins: fc.array(fc.tuple(number, number)) })
  .map(({ bins, ...rest }) => ({ ...rest, rightEdges: bins.map(([edge]) => edge), counts: bins.map(([, count]) => count) }));
const value: fc.Arbitrary<SummaryValue> = fc.oneof(
  fc.record({ tag: text, scalar: fc.float() }),
  fc.record({ tag: text, histogram }),
  fc.record({ tag: text, text }),
);
const event: fc.Arbitrary<BoardEvent> = fc.record(
  {
    wallTime: fc.double({ noNaN: true }),
    step: fc.oneof(fc.nat(), fc.constantFrom(2 ** 32, 2 ** 53 - 1, 2 ** 53), fc.maxSafeInteger().map(Math.abs)),
    values: fc.array(value),
    isStart: fc.constant(true),
    fileVersion: text,
  },
  { requiredKeys: ['wallTime', 'step'] },
);

describe('whatever is written', () => {
  it('comes back: any step, any number, any text', () => {
    fc.assert(
      fc.property(fc.array(event), (events) => {
        expect(readEvents(Buffer.concat(events.map(eventRecord)))).toEqual(events);
      }),
    );
  });

  it('comes back up to a record that is cut off', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1 }), fc.nat(), (events, cut) => {
        const records = events.map(eventRecord);
        const last = records.at(-1) as Uint8Array;
        const whole = Buffer.concat(records);
        const torn = whole.subarray(0, whole.length - 1 - (cut % last.length));
        expect(readEvents(torn)).toEqual(events.slice(0, -1));
      }),
    );
  });

  it('is refused by a reader when a byte is another', () => {
    fc.assert(
      fc.property(event, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, change) => {
        const record = eventRecord(given);
        // In the length a larger number would read as a record that is cut off.
        const place = 8 + (at % (record.length - 8));
        record[place] = (record[place] as number) ^ change;
        expect(() => readEvents(record)).toThrow('damaged');
      }),
    );
  });

  it('is UTF-8 also where a text is no Unicode', () => {
    const [read] = readEvents(eventRecord({ wallTime: 0, step: 0, values: [{ tag: 'events', text: 'a\ud800b' }] }));
    expect(read?.values).toEqual([{ tag: 'events', text: 'a\ufffdb' }]);
  });
});
