/**
 * Which images are validation: those of `data.valSource`, else the source's own val split, else its test split, else a part of the
 * training images chosen by a hash, which is the same on every machine and moves at most one other image when one is added
 * (formats.md section 9, flat split).
 */
import { createHash } from 'node:crypto';
import { PreloraError } from '../protocol/reply.ts';
import { encodedName, type Split, takeSamples } from './images.ts';
import type { DataSettings, RawSource } from './rawSource.ts';
import { readSource } from './sources.ts';

export interface ChosenSplits {
  train: Split;
  val: Split;
  /** Where `val` comes from, in words. */
  origin: string;
}

/**
 * Throws data-not-found without training images, data-class-mismatch when valSource has other classes, data-empty-class when a class
 * has a single image and validation must be taken from training.
 */
export async function chooseValidation(source: RawSource, data: DataSettings, signal?: AbortSignal): Promise<ChosenSplits> {
  const { train, val, test } = source.splits;
  if (!train) throw new PreloraError('data-not-found', `${source.root}: no training images found`);
  if (data.valSource !== null) return { train, ...(await fromOtherSource(source, data, signal)) };
  if (val) return { train, val, origin: `the ${val.name} split of the source` };
  if (test) return { train, val: test, origin: 'the test split of the source, which has no val split' };
  return hashSplit(train, source.classNames, data);
}

async function fromOtherSource(source: RawSource, data: DataSettings, signal?: AbortSignal): Promise<{ val: Split; origin: string }> {
  const other = await readSource(data.valSource as string, data, signal);
  const val = (other.splits.val ?? other.splits.test ?? other.splits.train) as Split;
  if (other.channels !== source.channels && val.images.kind === 'packed') {
    const message = `${other.root}: images have ${other.channels} channels, those of ${source.root} have ${source.channels}`;
    throw new PreloraError('bad-config', message, 'data.valSource');
  }
  const classOf = new Map(source.classNames.map((name, index) => [name, index]));
  const mapped = other.classNames.map((name) => {
    const index = classOf.get(name);
    if (index === undefined) throw new PreloraError('data-class-mismatch', `class "${name}" is in ${data.valSource} but not in train`);
    return index;
  });
  const labels = val.labels.map((label) => mapped[label] as number);
  source.skipped.push(...other.skipped);
  return { val: { ...val, labels }, origin: `${other.root} (data.valSource)` };
}

/** Per class, the first round(valFraction · n) samples, at least one, in the order of SHA-256(splitKey NUL path). */
function hashSplit(train: Split, classNames: readonly string[], { valFraction, splitKey }: DataSettings): ChosenSplits {
  const byClass = new Map<number, { sample: number; hash: string }[]>();
  const { images } = train;
  train.labels.forEach((label, sample) => {
    const name = images.kind === 'packed' ? String(sample) : encodedName(images, sample);
    const hash = createHash('sha256').update(`${splitKey}\0${name}`).digest('hex');
    const list = byClass.get(label) ?? [];
    list.push({ sample, hash });
    byClass.set(label, list);
  });
  const isVal = new Uint8Array(train.count);
  for (const [label, list] of byClass) {
    if (list.length === 1) {
      const message = `class "${classNames[label]}" has no readable image in train; its only one would be needed for validation`;
      throw new PreloraError('data-empty-class', message);
    }
    list.sort((a, b) => (a.hash < b.hash ? -1 : 1));
    for (const { sample } of list.slice(0, Math.max(1, Math.round(valFraction * list.length)))) isVal[sample] = 1;
  }
  const samples = Uint32Array.from({ length: train.count }, (_, i) => i);
  const part = (wanted: number, name: string): Split =>
    takeSamples(
      train,
      samples.filter((i) => isVal[i] === wanted),
      name,
    );
  return {
    train: part(0, train.name),
    val: part(1, 'val'),
    origin: `${+(valFraction * 100).toPrecision(4)} % of each class of the training images, chosen by hash (key "${splitKey}")`,
  };
}
