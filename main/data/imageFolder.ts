/**
 * A folder of images as a source: the images that findImages.ts finds, less the bad ones, which are listed with their reasons, and
 * classes in code-point order over all splits, as torchvision and Hugging Face number them (formats.md section 9).
 */
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { brokenLimit } from './brokenLimit.ts';
import { byCodePoint } from './codePointOrder.ts';
import { decodeImage, inspectImage, UnreadableImage } from './decode.ts';
import { type FoundImage, findImages } from './findImages.ts';
import type { Split } from './images.ts';
import { type DataSettings, type RawSource, type SkippedImage, type SplitName, throwIfAborted } from './rawSource.ts';

const INSPECTED_AT_ONCE = 8;
/** Up to this many images every one is decoded when the folder is opened; of larger sets only the headers are read. */
const DECODE_ALL_UP_TO = 2000;

type FolderSettings = Pick<DataSettings, 'convertUnusual' | 'maxBroken'>;

/**
 * Opens the folder. Throws data-not-found, data-unreadable, data-empty-class, data-class-mismatch, data-too-many-broken, and
 * interrupted when the signal fires.
 */
export async function openImageFolder(root: string, settings: FolderSettings, signal?: AbortSignal): Promise<RawSource> {
  const found = await findImages(root, signal);
  if (found.images.length + found.skipped.length === 0) {
    throw new PreloraError('data-unreadable', `${root}: no IDX files, no CIFAR files and no folders with images found`);
  }
  const inspected = await inspectAll(root, found.images, { convertUnusual: settings.convertUnusual, signal });
  const skipped = [...found.skipped, ...inspected.skipped];
  checkBroken(skipped, found.images.length + found.skipped.length, settings.maxBroken);
  checkClasses(found.classes, inspected.readable);
  const classNames = [...new Set([...found.classes.values()].flat())].sort(byCodePoint);
  const allGray = inspected.gray === inspected.readable.length;
  return {
    format: 'folder',
    root,
    classNames,
    channels: allGray ? 1 : 3,
    grayImages: inspected.gray,
    rawSize: null,
    preset: allGray ? null : 'imagenet',
    splits: makeSplits(root, inspected.readable, classNames),
    skipped,
    converted: inspected.converted,
    notes: inspected.decoded ? [] : ['only the headers of the images were checked'],
  };
}

interface Inspected {
  readable: FoundImage[];
  skipped: SkippedImage[];
  converted: Record<string, number>;
  gray: number;
  /** Whether every image was decoded. */
  decoded: boolean;
}

interface InspectRules {
  convertUnusual: boolean;
  signal: AbortSignal | undefined;
}

/** Checks all images, a few at a time; what comes out is in the order of `images`. */
async function inspectAll(root: string, images: FoundImage[], { convertUnusual, signal }: InspectRules): Promise<Inspected> {
  const result: Inspected = { readable: [], skipped: [], converted: {}, gray: 0, decoded: images.length <= DECODE_ALL_UP_TO };
  const inspect = async (image: FoundImage): Promise<() => void> => {
    const file = path.join(root, image.path);
    try {
      const facts = await inspectImage(file, { convertUnusual });
      if (result.decoded) await decodeImage(file, { channels: facts.gray ? 1 : 3, convertUnusual });
      return () => {
        result.readable.push(image);
        if (facts.gray) result.gray++;
        for (const name of facts.conversions) result.converted[name] = (result.converted[name] ?? 0) + 1;
      };
    } catch (error) {
      if (!(error instanceof UnreadableImage)) throw error;
      return () => result.skipped.push({ path: image.path, reason: error.message });
    }
  };
  for (let from = 0; from < images.length; from += INSPECTED_AT_ONCE) {
    throwIfAborted(signal);
    const records = await Promise.all(images.slice(from, from + INSPECTED_AT_ONCE).map(inspect));
    for (const record of records) record();
  }
  return result;
}

function checkBroken(skipped: SkippedImage[], total: number, maxBroken: number): void {
  const limit = brokenLimit(total, maxBroken);
  const [first] = skipped;
  if (!first || skipped.length <= limit) return;
  const message = `${skipped.length} of ${total} images unreadable, limit ${limit}; first: ${first.path}: ${first.reason}`;
  throw new PreloraError('data-too-many-broken', message, 'data.maxBroken');
}

/** Every class of another split must be one of train's, and every class folder must hold a readable image. */
function checkClasses(classes: Map<SplitName, string[]>, readable: FoundImage[]): void {
  const train = classes.get('train');
  const present = new Set(readable.map(({ split, className }) => `${split}\0${className}`));
  for (const [split, names] of classes) {
    for (const name of names) {
      if (train && !train.includes(name)) throw new PreloraError('data-class-mismatch', `class "${name}" is in ${split} but not in train`);
      if (!present.has(`${split}\0${name}`))
        throw new PreloraError('data-empty-class', `class "${name}" has no readable image in ${split}`);
    }
  }
}

function makeSplits(root: string, images: FoundImage[], classNames: string[]): RawSource['splits'] {
  const classOf = new Map(classNames.map((name, index) => [name, index]));
  const splits: RawSource['splits'] = {};
  for (const name of new Set(images.map(({ split }) => split))) {
    const own = images.filter(({ split }) => split === name);
    splits[name] = {
      name,
      count: own.length,
      labels: Uint32Array.from(own, ({ className }) => classOf.get(className) as number),
      images: { kind: 'files', root, paths: own.map((image) => image.path) },
    } satisfies Split;
  }
  return splits;
}
