/**
 * Every field of a config changes what the engine does (product.md F16): a run of a second with one value other than the default leaves other
 * records, weights, events or checkpoints than the same run without it. Fields that such a run cannot show name the test that does.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fieldTable } from '../../main/protocol/fieldTable.ts';
import { listCheckpoints } from '../../main/store/checkpointFolder.ts';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { startRun } from '../../main/train/startRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, type Overrides, tinyConfig, trainTiny } from './tinyTraining.ts';

/** 3 updates per epoch, 4 epochs: switch at 6, freeze at 9, end at 12; all else as in tinyTraining.ts. */
const SHORT: Overrides = { data: { maxTrain: 24, maxVal: 10 }, train: { epochs: 4 } };

interface Shown {
  value: unknown;
  /** What else must be set, in both runs, for the field to have a say. */
  with?: Overrides;
}

const SHOWN: Record<string, Shown> = {
  'model.size': {
    value: 'tiny',
    with: {
      model: { depth: 1, embedDim: 9, numHeads: 3 },
      train: { epochs: 1, lrWarmupSteps: 1 },
      prelora: { switching: 'off', lrRampSteps: 1 },
    },
  },
  'model.imageSize': { value: 42 },
  'model.patchSize': { value: 7 },
  'model.inChannels': { value: 3 },
  'model.numClasses': { value: 12 },
  'model.embedDim': { value: 16 },
  'model.depth': { value: 1 },
  'model.numHeads': { value: 4 },
  'model.mlpRatio': { value: 2 },
  'model.qkvBias': { value: false },
  'model.layerNormEps': { value: 1e-3 },
  'model.initStd': { value: 0.05 },
  'model.dropRate': { value: 0.2 },
  'model.attnDropRate': { value: 0.2 },
  'model.dropPathRate': { value: 0.3 },
  'data.maxTrain': { value: 32 },
  'data.maxVal': { value: 16 },
  'data.mean': { value: [0.4], with: { data: { mean: [0.3], std: [0.3] } } },
  'data.std': { value: [0.4], with: { data: { mean: [0.3], std: [0.3] } } },
  'data.crop': { value: 'none' },
  'data.cropScaleMin': { value: 0.9, with: { data: { crop: 'randomResized' } } },
  'data.cropPadding': { value: 4 },
  'data.flip': { value: 0 },
  'data.colorJitter': { value: 0.4 },
  'data.randAugmentOps': { value: 2 },
  'data.randAugmentMagnitude': { value: 20, with: { data: { randAugmentOps: 2 } } },
  'data.randomErasing': { value: 0.9 },
  'data.mixupAlpha': { value: 0.5 },
  'data.cutmixAlpha': { value: 0.5 },
  'data.labelSmoothing': { value: 0.3 },
  'train.epochs': { value: 6 },
  'train.batchSize': { value: 4 },
  'train.microBatch': { value: 2 },
  'train.dropLast': { value: false, with: { data: { maxTrain: 28 } } },
  'train.lr': { value: 0.02 },
  'train.lrWarmupSteps': { value: 1 },
  'train.lrFloor': { value: 0.5 },
  'train.weightDecay': { value: 0.5 },
  'train.decayGroups': { value: 'all' },
  'train.beta1': { value: 0.5 },
  'train.beta2': { value: 0.9 },
  'train.adamEps': { value: 1e-2 },
  'train.seed': { value: 7 },
  'train.gradClip': { value: 0.01 },
  'train.evalEvery': { value: 2 },
  'train.checkpointEvery': { value: 4, with: { train: { keepCheckpoints: 20 } } },
  'train.keepCheckpoints': { value: 5 },
  'train.earlyStopPatience': { value: 1, with: { train: { lr: 1e-7 } } },
  'train.latestEnd': { value: '2020-01-01T00:00:00Z' },
  'train.emaDecay': { value: 0.5 },
  'prelora.switching': { value: 'off' },
  'prelora.snapshotEvery': { value: 2 },
  'prelora.windowSize': { value: 3 },
  'prelora.tau': { value: 1e-6 },
  'prelora.zeta': { value: 1e-9 },
  'prelora.normMetric': { value: 'displacement' },
  'prelora.minStep': { value: 7 },
  'prelora.trackDisplacement': { value: false },
  'prelora.targetModules': { value: ['q', 'v'] },
  'prelora.rankMetric': { value: 'grad' },
  'prelora.rankPool': { value: 'overall' },
  'prelora.rMin': { value: 2 },
  'prelora.rMax': { value: 2 },
  'prelora.rankBudget': { value: 62 },
  'prelora.rankOverrides': { value: { 'blocks.0.attn.q': 2 } },
  'prelora.alphaMode': { value: 'r' },
  'prelora.alphaValue': { value: 4, with: { prelora: { alphaMode: 'constant' } } },
  'prelora.loraDropRate': { value: 0.3 },
  'prelora.graceSteps': { value: 2 },
  'prelora.jointSteps': { value: 2 },
  'prelora.alsoFreeze': { value: ['norms'] },
  'prelora.optimizerAtSwitch': { value: 'keepByName' },
  'prelora.optimizerAtFreeze': { value: 'keepByName' },
  'prelora.lrRampSteps': { value: 1 },
  'control.action': { value: 'freezeOnly' },
  'control.fixedEpoch': { value: 2, with: { prelora: { tau: 1e-6 } } },
  'control.ranks': { value: 'uniform' },
  'control.uniformRank': { value: 2, with: { control: { ranks: 'uniform' } } },
  'logging.metricsEvery': { value: 2 },
};

/** Other data, other machines, or a change of a verdict that this run is too short for. */
const SHOWN_ELSEWHERE: Record<string, string> = {
  name: 'test/train/everyField.test.ts',
  'model.startFrom': 'test/exchange/startWeights.test.ts',
  'data.source': 'test/data/imageFolder.test.ts',
  'data.format': 'test/data/dataset.test.ts',
  'data.valSource': 'test/data/imageFolder.test.ts',
  'data.valFraction': 'test/data/imageFolder.test.ts',
  'data.splitKey': 'test/data/dataset.test.ts',
  'data.labelLevel': 'test/data/cifar.test.ts',
  'data.labelField': 'test/data/hfParquet.test.ts',
  'data.imageField': 'test/data/hfParquet.test.ts',
  'data.transpose': 'test/data/dataset.test.ts',
  'data.maxBroken': 'test/data/imageFolder.test.ts',
  'data.convertUnusual': 'test/data/imageFolder.test.ts',
  'data.workers': 'test/data/batches.test.ts',
  'data.prefetch': 'test/data/batches.test.ts',
  'prelora.layerWeighting': 'test/core/convergence.test.ts',
  'prelora.testFamilies': 'test/core/trainableSet.test.ts',
  'engine.backend': 'test/engine/choose.test.ts',
  'engine.compiled': 'test/train/stepInvariants.ts',
  'engine.threads': 'test/engine/environment.test.ts',
  'engine.xla': 'test/engine/environment.test.ts',
  'logging.tensorboard': 'test/train/tensorboard.test.ts',
};

describe('every field of a config', () => {
  it('is shown here or elsewhere', () => {
    const fields = fieldTable()
      .map((field) => field.path)
      .filter((field) => field !== 'preset' && field !== 'schemaVersion');
    expect([...Object.keys(SHOWN), ...Object.keys(SHOWN_ELSEWHERE)].sort()).toEqual(fields.sort());
    for (const [field, file] of Object.entries(SHOWN_ELSEWHERE)) {
      const name = field.split('.').at(-1) as string;
      expect(readFileSync(path.resolve(import.meta.dirname, '../..', file), 'utf8'), `${file} of ${field}`).toContain(name);
    }
  });

  it('name is what the run is called', async () => {
    const dir = path.join(temporaryFolder(), 'run');
    const run = await startRun({ ...tinyConfig(SHORT), name: 'another' }, dir);
    await run.run();
    run.options.store.close();
    expect(await readStatus(dir)).toMatchObject({ name: 'another' });
  });

  const plain = new Map<string, Promise<string>>();
  it.each(Object.entries(SHOWN))('%s changes the run', async (field, { value, with: needed = {} }) => {
    const base = merged(SHORT, needed);
    const key = JSON.stringify(base);
    if (!plain.has(key)) plain.set(key, traceOf(base));
    const [section, name] = field.split('.') as [string, string];
    expect(await traceOf(merged(base, { [section]: { [name]: value } }))).not.toBe(await plain.get(key));
  });
});

function merged(a: Overrides, b: Overrides): Overrides {
  const sections = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...sections].map((section) => [section, { ...a[section], ...b[section] }]));
}

/** All that a run leaves behind apart from its config, from times and from what was measured. */
async function traceOf(overrides: Overrides): Promise<string> {
  const { dir, end, run } = await trainTiny(path.join(temporaryFolder(), 'run'), overrides);
  const events = (await readRecords(dir, 'events')).map(({ time: _, ...event }) => event);
  const { checkpoints } = await listCheckpoints(dir);
  const status = await readStatus(dir);
  const places = checkpoints.map(({ step, pinned }) => ({ step, pinned }));
  return JSON.stringify({ end, name: status?.name, steps: status?.totalSteps, events, places, content: await contentOf({ dir, run }) });
}
