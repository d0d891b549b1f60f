/**
 * What every reader (IDX, CIFAR, folders of images) gives back before validation split, limits and normalisation are settled, and
 * the checks that all sources share.
 */
import type { z } from 'zod';
import type { DataConfig } from '../protocol/config/data.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Split } from './images.ts';
import type { KnownNormalization } from './normalization.ts';

export type DataSettings = z.output<typeof DataConfig>;
export type SourceFormat = Exclude<DataSettings['format'], 'auto'>;
export type SplitName = 'train' | 'val' | 'test';

/** An image that is left out, with the reason in words. */
export interface SkippedImage {
  path: string;
  reason: string;
}

/** data-report.json: what was found, left out and converted when the source was opened. */
export interface DataReport {
  source: string;
  format: SourceFormat;
  classes: number;
  /** Index = class, so that a run tells its classes when the data is gone. */
  classNames: readonly string[];
  images: { train: number; val: number };
  valOrigin: string;
  normalization: string;
  skipped: SkippedImage[];
  /** How many images of each odd but usable kind, such as `alpha channel dropped`. */
  converted: Record<string, number>;
  notes: string[];
}

export interface RawSource {
  format: SourceFormat;
  root: string;
  classNames: string[];
  /** Channels the images have by themselves. */
  channels: number;
  /** How many of its images are gray. */
  grayImages: number;
  /** Height and width when all images have the same. */
  rawSize: [number, number] | null;
  /** Known mean and std of this very data, if any. */
  preset: KnownNormalization | null;
  splits: Partial<Record<SplitName, Split>>;
  skipped: SkippedImage[];
  converted: Record<string, number>;
  notes: string[];
}

/** Images in all splits together. */
export function imageCount(splits: RawSource['splits']): number {
  return Object.values(splits).reduce((sum, split) => sum + split.count, 0);
}

/** Throws `label-range` at the first label that is not below `classes`. `where` names the file. */
export function checkLabels(labels: Uint32Array, classes: number, where: string): void {
  for (const label of labels) {
    if (label >= classes) throw new PreloraError('label-range', `${where}: label ${label} outside 0…${classes - 1}`);
  }
}

/** Throws `interrupted` once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new PreloraError('interrupted', 'opening the data set was cancelled');
}
