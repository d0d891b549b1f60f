/** A small reader of event files, written against formats.md section 10 and not against our writer, as far as one can. */
import protobuf from 'protobufjs/minimal.js';
import { type BoardEvent, type HistogramValue, maskedCrc, type SummaryValue } from '../../main/exchange/eventRecords.ts';

type Reader = protobuf.Reader;

/** The events of a file. A record that is cut off ends it; a sum that is wrong throws. */
export function readEvents(bytes: Uint8Array): BoardEvent[] {
  const events: BoardEvent[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    if (at + 16 + length > bytes.length) break;
    const data = bytes.subarray(at + 12, at + 12 + length);
    if (view.getUint32(at + 8, true) !== maskedCrc(bytes.subarray(at, at + 8))) throw new Error(`length at ${at} is damaged`);
    if (view.getUint32(at + 12 + length, true) !== maskedCrc(data)) throw new Error(`data at ${at} is damaged`);
    events.push(decodeEvent(protobuf.Reader.create(data)));
    at += 16 + length;
  }
  return events;
}

/** Every scalar of a tag as step and value, in the order of the file. */
export function scalarsOf(events: readonly BoardEvent[], tag: string): [number, number][] {
  return valuesOf(events, tag).flatMap(({ step, value }) => ('scalar' in value ? [[step, value.scalar] as [number, number]] : []));
}

export function textsOf(events: readonly BoardEvent[], tag: string): [number, string][] {
  return valuesOf(events, tag).flatMap(({ step, value }) => ('text' in value ? [[step, value.text] as [number, string]] : []));
}

export function histogramsOf(events: readonly BoardEvent[], tag: string): [number, HistogramValue][] {
  return valuesOf(events, tag).flatMap(({ step, value }) =>
    'histogram' in value ? [[step, value.histogram] as [number, HistogramValue]] : [],
  );
}

export function tagsOf(events: readonly BoardEvent[]): string[] {
  return [...new Set(events.flatMap(({ values }) => (values ?? []).map(({ tag }) => tag)))].sort();
}

/** What a reader keeps that heeds start markers: nothing of a marker's step and later that came before it. */
export function purged(events: readonly BoardEvent[]): BoardEvent[] {
  let kept: BoardEvent[] = [];
  for (const event of events) {
    if (event.isStart) kept = kept.filter(({ step }) => step < event.step);
    kept.push(event);
  }
  return kept;
}

function valuesOf(events: readonly BoardEvent[], tag: string): { step: number; value: SummaryValue }[] {
  return events.flatMap(({ step, values }) => (values ?? []).filter((value) => value.tag === tag).map((value) => ({ step, value })));
}

/** Calls `field` with the number of each field; it must read it. */
function eachField(reader: Reader, length: number, field: (id: number) => void): void {
  for (const end = reader.pos + length; reader.pos < end; ) field(reader.uint32() >>> 3);
}

function decodeEvent(reader: Reader): BoardEvent {
  const event: BoardEvent = { wallTime: 0, step: 0 };
  eachField(reader, reader.len, (id) => {
    if (id === 1) event.wallTime = reader.double();
    else if (id === 2) event.step = Number(reader.int64());
    else if (id === 3) event.fileVersion = reader.string();
    else if (id === 5) event.values = decodeSummary(reader);
    else if (id === 7) event.isStart = Buffer.from(reader.bytes()).toString('hex') === '0801';
    else throw new Error(`field ${id} of an event`);
  });
  return event;
}

function decodeSummary(reader: Reader): SummaryValue[] {
  const values: SummaryValue[] = [];
  eachField(reader, reader.uint32(), (id) => {
    if (id !== 1) throw new Error(`field ${id} of a summary`);
    values.push(decodeValue(reader));
  });
  return values;
}

function decodeValue(reader: Reader): SummaryValue {
  let tag = '';
  let plugin = '';
  const found: { scalar?: number; histogram?: HistogramValue; text?: string } = {};
  eachField(reader, reader.uint32(), (id) => {
    if (id === 1) tag = reader.string();
    else if (id === 2) found.scalar = reader.float();
    else if (id === 5) found.histogram = decodeHistogram(reader);
    else if (id === 8) found.text = decodeTensor(reader);
    else if (id === 9) plugin = Buffer.from(reader.bytes().subarray(4)).toString();
    else throw new Error(`field ${id} of a value`);
  });
  if (found.text !== undefined && plugin !== 'text') throw new Error(`text for the plugin ${plugin}`);
  return { tag, ...found } as SummaryValue;
}

function decodeTensor(reader: Reader): string {
  let text = '';
  eachField(reader, reader.uint32(), (id) => {
    if (id === 1) reader.int32();
    else if (id === 2) reader.bytes();
    else text = reader.string();
  });
  return text;
}

function decodeHistogram(reader: Reader): HistogramValue {
  const numbers: number[] = [];
  const packed: number[][] = [];
  eachField(reader, reader.uint32(), (id) => {
    if (id < 6) numbers.push(reader.double());
    else {
      const list: number[] = [];
      for (const end = reader.uint32() + reader.pos; reader.pos < end; ) list.push(reader.double());
      packed.push(list);
    }
  });
  const [min, max, count, sum, sumSquares] = numbers as [number, number, number, number, number];
  const [rightEdges, counts] = packed as [number[], number[]];
  return { min, max, count, sum, sumSquares, rightEdges, counts };
}
