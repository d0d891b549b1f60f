/** A resolved config small enough for a unit test; what matters to the test is given and merged over it. */
import { parseConfig, resolveWithData } from '../../main/core/resolveConfig.ts';
import type { ResolvedConfig, RunConfigInput } from '../../main/protocol/config.ts';

const TINY_MODEL = {
  size: 'custom',
  imageSize: 8,
  patchSize: 4,
  embedDim: 8,
  depth: 2,
  numHeads: 2,
  inChannels: 1,
  numClasses: 3,
} as const;

export type TinyConfigInput = Pick<RunConfigInput, 'model' | 'train' | 'prelora' | 'control' | 'data'>;

/** imageSize 8, patchSize 4, width 8, depth 2, 2 heads, 3 classes, batch 4; three epochs of two updates. */
export function tinyConfig({ model, train, prelora, control, data }: TinyConfigInput = {}): ResolvedConfig {
  const config = parseConfig({
    model: { ...TINY_MODEL, ...model },
    train: { batchSize: 4, epochs: 3, lrWarmupSteps: 0, ...train },
    prelora: { jointSteps: 1, lrRampSteps: 0, ...prelora },
    control: { ...control },
    data: { ...data },
  });
  const channels = config.model.inChannels ?? 1;
  const plain = (value: number) => Array.from({ length: channels }, () => value);
  const images = 2 * config.train.batchSize;
  return resolveWithData(config, { trainCount: images, channels, numClasses: 2, mean: plain(0.5), std: plain(0.25) });
}
