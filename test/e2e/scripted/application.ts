/** What the fake engine says of the program and the machine, and the config that its runs start from. */
import { RunConfig } from '../../../main/protocol/config.ts';
import type { AppDescription, UnpackedSource } from '../../../main/protocol/results.ts';
import { GIB, NOW } from './history.ts';

export const SCRIPTED_CONFIG = {
  model: { size: 'custom' as const, imageSize: 32, patchSize: 4, embedDim: 192, depth: 12, numHeads: 3 },
  data: { source: 'fashion-mnist' },
  train: { epochs: 60, batchSize: 128, lrWarmupSteps: 500 },
  prelora: { tau: 0.8, zeta: 5, snapshotEvery: 250, jointSteps: 1000 },
};

export function describeApp(host: AppDescription['host']): Omit<AppDescription, 'engines' | 'installableEngines' | 'installing'> {
  return {
    version: '0.1.0',
    platform: 'linux-x64',
    host,
    cores: 2,
    memoryBytes: 7.6 * GIB,
    dataRoot: '/home/ada/.local/share/prelora-workbench',
    presets: [
      {
        name: 'sample',
        title: 'Sample',
        summary: 'A few minutes on two cores: settles fast, to show the switch.',
        isOwn: false,
        config: { data: { source: 'sample' } },
      },
      { name: 'fashion-mnist', title: 'Fashion-MNIST', summary: 'The whole set, ViT-Ti width 96.', isOwn: false, config: SCRIPTED_CONFIG },
    ],
    configSchema: RunConfig.toJSONSchema({ io: 'input' }),
  };
}

export function unpackedSources(): UnpackedSource[] {
  const source = (folder: string, more: Omit<UnpackedSource, 'source' | 'usedAt'>, daysAgo: number): UnpackedSource => {
    return { source: folder, ...more, usedAt: new Date(NOW - daysAgo * 24 * 3600 * 1000).toISOString() };
  };
  return [
    source('/mnt/data/imagenet-1k-wds', { shards: 1024, bytes: 138 * GIB, blocked: 'run flowers-b is training on it; stop that first' }, 0),
    source('/home/ada/datasets/hub/cifar100/plain_text/train', { shards: 1, bytes: 0.13 * GIB, blocked: null }, 6),
    source('', { shards: 2, bytes: 0.02 * GIB, blocked: null }, 17),
  ];
}
