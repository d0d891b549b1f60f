/** What people call the splits of a data set, in names of folders and of shards (formats.md section 9). */
import type { SplitName } from './rawSource.ts';

const SPLIT_NAMES: Record<string, SplitName> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  testing: 'test',
  eval: 'test',
  evaluation: 'test',
};

/** The split a whole name means, in any case; null when it means none. */
export function splitCalled(name: string): SplitName | null {
  const key = name.toLowerCase();
  return Object.hasOwn(SPLIT_NAMES, key) ? (SPLIT_NAMES[key] as SplitName) : null;
}

/**
 * The split a shard belongs to, by the last such word of its name and, where there is none, of the folders it lies in: `cats-val-0003.tar`
 * and `val/0003.tar`. Words are runs of letters, so that `latest` is no test. `path` is relative to the data set, with `/`.
 */
export function splitOfShard(path: string): SplitName {
  for (const part of path.split('/').reverse()) {
    for (const word of part.split(/[^a-z]+/i).reverse()) {
      const split = splitCalled(word);
      if (split) return split;
    }
  }
  return 'train';
}
