/** WebDataset tar shards as a source. Class names are the lines of `labels.txt` or `classnames.txt` beside the shards, else the numbers from 0. */
import path from 'node:path';
import { readNames } from './idx.ts';
import type { DataSettings, RawSource } from './rawSource.ts';
import { throwIfAborted } from './rawSource.ts';
import { indexShard } from './shardIndex.ts';
import { type OpenedShard, sourceOfShards } from './shardSource.ts';
import { findShards } from './shards.ts';
import { tarReading } from './tarSamples.ts';

const NAME_FILES = ['labels.txt', 'classnames.txt'];

/**
 * Opens the shards that `source` names. Throws data-not-found, data-unreadable, tar-truncated, tar-sample, label-range,
 * data-too-many-broken, and interrupted when the signal fires.
 */
export async function openWebDataset(source: string, settings: DataSettings, signal?: AbortSignal): Promise<RawSource> {
  const found = await findShards(source, 'webdataset');
  const opened: OpenedShard[] = [];
  for (const shard of found.shards) {
    throwIfAborted(signal);
    opened.push({ shard, samples: await indexShard(shard.path, await tarReading(shard.path, settings.labelField, signal)) });
  }
  return sourceOfShards(found, opened, { format: 'webdataset', settings, classNames: await classNamesBeside(found.root), signal });
}

async function classNamesBeside(root: string): Promise<string[] | null> {
  for (const file of NAME_FILES) {
    const names = await readNames(path.join(root, file));
    if (names) return names;
  }
  return null;
}
