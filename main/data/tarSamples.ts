/**
 * Samples of one WebDataset shard (https://github.com/webdataset/webdataset): members behind each other whose path is the same up to the
 * first dot of the file name. One of them is the image; the label stands in `cls`, or in `json` (formats.md section 9).
 */
import { stat } from 'node:fs/promises';
import { PreloraError } from '../protocol/reply.ts';
import { parseJson } from '../store/json.ts';
import type { ImageSink, ShardReading, ShardSamples } from './shardIndex.ts';
import { isGzipped, type TarMember, tarMembers } from './tarMembers.ts';

const IMAGES = new Set(['jpg', 'jpeg', 'png', 'webp']);
/** A label, or a description of an image, is not larger. */
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_IMAGE_BYTES = 1024 * 1024 * 1024;
/** Images hardly compress, so a shard that unpacks to this many times its size holds something else. */
const MOST_TIMES = 64;
const ALWAYS_UNPACKED = 64 * 1024 * 1024;
/** A tar ends in at least this many bytes of zeros. */
const END_MARK = 512;

/** A sample of which not all members have been seen yet. */
interface OpenSample {
  key: string;
  image: { name: string; offset: number; length: number } | null;
  cls: string | null;
  json: string | null;
}

/** How a shard is read; `labelField` is the key of the json that holds the label. */
export async function tarReading(file: string, labelField: string | null, signal?: AbortSignal): Promise<ShardReading> {
  const gzipped = await isGzipped(file);
  const { size } = await stat(file);
  return {
    way: ['webdataset', labelField],
    unpackedBytes: gzipped ? size : null,
    async read(images) {
      const shard = new ShardReader(file, labelField, images && limitedTo(images, file, size));
      for await (const member of tarMembers(file, gzipped, signal)) await shard.take(member);
      return shard.finish(gzipped ? null : size);
    },
  };
}

function limitedTo(images: ImageSink, file: string, compressed: number): ImageSink {
  const most = compressed * MOST_TIMES + ALWAYS_UNPACKED;
  return {
    get size() {
      return images.size;
    },
    async add(bytes) {
      if (images.size + bytes.length > most)
        throw new PreloraError('data-unreadable', `${file}: unpacks to more than ${MOST_TIMES} times its size`);
      await images.add(bytes);
    },
  };
}

class ShardReader {
  private readonly samples: ShardSamples = { names: [], labels: [], offsets: [], lengths: [], classNames: null, notes: [] };
  private open: OpenSample | null = null;
  private passedOver = 0;
  /** Where the last member ends, padding included. */
  private end = 0;

  constructor(
    private readonly file: string,
    private readonly labelField: string | null,
    private readonly images: ImageSink | null,
  ) {}

  async take(member: TarMember): Promise<void> {
    this.end = member.offset + Math.ceil(member.size / 512) * 512;
    const parts = /^((?:.*\/)?[^./][^./]*)\.([^/]*)$/s.exec(member.name.replace(/^(\.\/)+/, ''));
    if (!parts) return;
    const [name, key, extension] = parts as unknown as [string, string, string];
    if (this.open?.key !== key) this.close();
    this.open ??= { key, image: null, cls: null, json: null };
    const kind = extension.toLowerCase();
    if (IMAGES.has(kind)) await this.takeImage(this.open, name, member);
    else if (kind === 'cls' || kind === 'json') this.open[kind] = (await this.text(name, member)).toString('utf8');
  }

  /** `size` is that of a plain tar, which can be checked for its end mark. */
  finish(size: number | null): ShardSamples {
    this.close();
    if (this.passedOver > 0) this.samples.notes.push(`${this.passedOver} samples with neither image nor label were passed over`);
    if (size !== null && this.end + END_MARK > size)
      this.samples.notes.push('has no end mark, so that it may have been cut off after a sample');
    return this.samples;
  }

  private async takeImage(sample: OpenSample, name: string, member: TarMember): Promise<void> {
    if (sample.image) throw this.fault(`sample ${sample.key} has two images, ${sample.image.name} and ${name}; one is needed`);
    if (member.size > MAX_IMAGE_BYTES) throw this.fault(`${name} has ${member.size} bytes; an image has at most ${MAX_IMAGE_BYTES}`);
    sample.image = { name, offset: this.images ? this.images.size : member.offset, length: member.size };
    await this.images?.add(await member.bytes());
  }

  private async text(name: string, member: TarMember): Promise<Buffer> {
    if (member.size > MAX_TEXT_BYTES) throw this.fault(`${name} has ${member.size} bytes; a label has at most ${MAX_TEXT_BYTES}`);
    return member.bytes();
  }

  private close(): void {
    const sample = this.open;
    this.open = null;
    if (!sample) return;
    if (!sample.image && sample.cls === null && sample.json === null) {
      this.passedOver++;
      return;
    }
    if (!sample.image) throw this.fault(`sample ${sample.key} has no image`);
    this.samples.labels.push(this.labelOf(sample));
    this.samples.names.push(sample.image.name);
    this.samples.offsets.push(sample.image.offset);
    this.samples.lengths.push(sample.image.length);
  }

  /** From `cls`, else from the json; from the json alone where `data.labelField` names a key of it. */
  private labelOf(sample: OpenSample): number | string {
    if (sample.cls !== null && this.labelField === null) {
      if (/^\s*[+-]?\d+\s*$/.test(sample.cls)) return Number(sample.cls);
      throw this.fault(`sample ${sample.key} has no label: its cls is ${shortened(sample.cls)}, a whole number is needed`);
    }
    const field = this.labelField ?? 'label';
    if (sample.json === null)
      throw this.fault(`sample ${sample.key} has no label: ${this.labelField ? 'no json' : 'neither cls nor json'}`);
    const label = fieldOf(sample.json, field);
    if (Number.isInteger(label) || typeof label === 'string') return label as number | string;
    const found = label === undefined ? `no "${field}"` : `${shortened(JSON.stringify(label))} as "${field}"`;
    throw this.fault(`sample ${sample.key} has no label: its json has ${found}; data.labelField names the key of a whole number or a name`);
  }

  private fault(message: string): PreloraError {
    return new PreloraError('tar-sample', `${this.file}: ${message}`, message.includes('data.labelField') ? 'data.labelField' : undefined);
  }
}

/** Undefined when the text is no JSON object or lacks the key. */
function fieldOf(json: string, field: string): unknown {
  const value = parseJson(json);
  return value !== null && typeof value === 'object' && Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text.trim() || 'empty';
}
