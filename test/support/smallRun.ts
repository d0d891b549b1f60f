/** A config that trains in seconds: 64 pictures of the shipped sample, 8 steps per epoch. */
export const SMALL_RUN = {
  model: { size: 'custom', imageSize: 8, patchSize: 4, inChannels: 1, embedDim: 8, depth: 2, numHeads: 2 },
  data: { source: 'sample', maxTrain: 64, maxVal: 32, crop: 'none', workers: 0 },
  train: { epochs: 400, batchSize: 8, lrWarmupSteps: 0, checkpointEvery: 8 },
  prelora: { switching: 'manual', snapshotEvery: 4, windowSize: 2, minStep: 0, tau: 100, zeta: 100, jointSteps: 8, lrRampSteps: 0 },
  engine: { backend: 'cpu' },
} as const;
