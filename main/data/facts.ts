/** What a config needs to know of an opened data set; core/resolveConfig.ts fills its open fields from it. */
import type { DataFacts } from '../core/resolveConfig.ts';
import type { Dataset } from './dataset.ts';

export function factsOf({ train, channels, classNames, normalization }: Dataset): DataFacts {
  const { mean, std } = normalization;
  return { trainCount: train.count, channels, numClasses: classNames.length, mean, std };
}
