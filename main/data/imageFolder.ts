/**
 * A folder of images as a source: the images that findImages.ts finds, less the bad ones, which are listed with their reasons, and
 * classes in code-point order over all splits, as torchvision and Hugging Face number them (formats.md section 9).
 */
import { PreloraError } from '../protocol/reply.ts';
import { checkBroken } from './brokenLimit.ts';
import { byCodePoint } from './codePointOrder.ts';
import { type FoundImage, findImages } from './findImages.ts';
import type { EncodedImages, Split } from './images.ts';
import { badImages, factsOf, inspectImages } from './inspectImages.ts';
import type { DataSettings, RawSource, SplitName } from './rawSource.ts';

type FolderSettings = Pick<DataSettings, 'convertUnusual' | 'maxBroken'>;

/**
 * Opens the folder. Throws data-not-found, data-unreadable, data-empty-class, data-class-mismatch, data-too-many-broken, and
 * interrupted when the signal fires.
 */
export async function openImageFolder(root: string, settings: FolderSettings, signal?: AbortSignal): Promise<RawSource> {
  const found = await findImages(root, signal);
  if (found.images.length + found.skipped.length === 0) {
    throw new PreloraError('data-unreadable', `${root}: no IDX or CIFAR files, no tar or parquet shards and no folders with images found`);
  }
  const paths = found.images.map((image) => image.path);
  const images: EncodedImages = { kind: 'files', root, paths };
  const inspection = await inspectImages(images, { convertUnusual: settings.convertUnusual, signal });
  const skipped = [...found.skipped, ...badImages(images, inspection)];
  checkBroken(skipped, paths.length + found.skipped.length, settings.maxBroken);
  const readable = found.images.filter((_, place) => !inspection.bad.has(place));
  checkClasses(found.classes, readable);
  const classNames = [...new Set([...found.classes.values()].flat())].sort(byCodePoint);
  return {
    format: 'folder',
    root,
    classNames,
    ...factsOf(inspection),
    splits: makeSplits(root, readable, classNames),
    skipped,
    notes: inspection.notes,
  };
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
