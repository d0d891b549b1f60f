/**
 * What estimates need to know of a data set (counts, classes, channels), remembered per data config: opening a folder of images may take
 * long, and a form asks at every key press.
 */
import type { DataFacts } from '../core/resolveConfig.ts';
import { openDataset } from '../data/dataset.ts';
import { factsOf } from '../data/facts.ts';
import { DataConfig } from '../protocol/config/data.ts';
import { PreloraError } from '../protocol/reply.ts';

type DataSettings = Parameters<typeof openDataset>[0];
/** Facts, or why there are none. */
export type FactsOrFault = { facts: DataFacts; fault: null } | { facts: null; fault: PreloraError };

/** More than one form is rarely open; the oldest goes first. */
const REMEMBERED = 8;
/** An estimate must not keep a form waiting for a disk. */
const WAIT_MS = 150;

const remembered = new Map<string, Promise<FactsOrFault>>();

/** The facts if they are known or come at once, null while the data is still being looked at. */
export async function quickDataFacts(data: DataSettings, channels: number | null): Promise<FactsOrFault | null> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), WAIT_MS);
  });
  try {
    return await Promise.race([dataFacts(data, channels), patience]);
  } finally {
    clearTimeout(timer);
  }
}

/** Opens the data, or remembers what came of it. */
export function dataFacts(data: DataSettings, channels: number | null): Promise<FactsOrFault> {
  // Augmentation does not change what is there; only what the data is opened with makes another key.
  const { source, format, valSource, valFraction, splitKey, maxTrain, maxVal, labelLevel, labelField, imageField, transpose } = data;
  const stored = [source, format, valSource, labelLevel, labelField, imageField, transpose];
  const key = JSON.stringify([...stored, valFraction, splitKey, maxTrain, maxVal, channels]);
  const known = remembered.get(key);
  if (known) return known;
  const opened = open(data, channels).then((result) => {
    // A fault may be cured at any moment: asked again, looked at again.
    if (result.fault) remembered.delete(key);
    return result;
  });
  remembered.set(key, opened);
  if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value as string);
  return opened;
}

async function open(data: DataSettings, channels: number | null): Promise<FactsOrFault> {
  try {
    return { facts: factsOf(await openDataset(DataConfig.parse(data), { channels })), fault: null };
  } catch (error) {
    if (error instanceof PreloraError) return { facts: null, fault: error };
    throw error;
  }
}
