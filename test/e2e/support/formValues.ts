/**
 * What a user could type into every field of the form: one value that is not the default for each, all of them together a config that starts;
 * and values that break the rule of a field. A field that is added without a line here fails the test.
 */
import { type FieldEntry, fieldTable } from '../../../main/protocol/fieldTable.ts';

/** Path → typed text and the value that must arrive. `source` and `val` are folders made by the test, `startFrom` a file of weights. */
export function otherValues(source: string, val: string, startFrom: string): Record<string, { text: string; value: unknown }> {
  const same = (value: string | number | boolean): { text: string; value: unknown } => ({ text: String(value), value });
  return {
    name: same('every field'),
    'model.size': same('custom'),
    'model.imageSize': same(16),
    'model.patchSize': same(8),
    'model.inChannels': same(1),
    'model.numClasses': same(5),
    'model.embedDim': same(16),
    'model.depth': same(3),
    'model.numHeads': same(4),
    'model.mlpRatio': same(2),
    'model.qkvBias': same(false),
    'model.layerNormEps': { text: '1e-12', value: 1e-12 },
    'model.initStd': same(0.05),
    'model.startFrom': same(startFrom),
    'model.dropRate': same(0.1),
    'model.attnDropRate': same(0.2),
    'model.dropPathRate': same(0.15),
    'data.source': same(source),
    'data.format': same('folder'),
    'data.valSource': same(val),
    'data.valFraction': same(0.25),
    'data.splitKey': same('another'),
    'data.maxTrain': same(24),
    'data.maxVal': same(6),
    'data.labelLevel': same('coarse'),
    'data.labelField': same('class'),
    'data.imageField': same('picture'),
    'data.transpose': same(true),
    'data.mean': { text: '0.4', value: [0.4] },
    'data.std': { text: '0.3', value: [0.3] },
    'data.crop': same('pad'),
    'data.cropScaleMin': same(0.5),
    'data.cropPadding': same(2),
    'data.flip': same(0.25),
    'data.colorJitter': same(0.1),
    'data.randAugmentOps': same(1),
    'data.randAugmentMagnitude': same(5),
    'data.randomErasing': same(0.3),
    'data.mixupAlpha': same(0.2),
    'data.cutmixAlpha': same(0.4),
    'data.labelSmoothing': same(0.05),
    'data.maxBroken': same(0.02),
    'data.convertUnusual': same(true),
    'data.workers': same(0),
    'data.prefetch': same(2),
    'train.epochs': same(3),
    'train.batchSize': same(8),
    'train.microBatch': same(4),
    'train.dropLast': same(false),
    'train.lr': same(0.002),
    'train.lrWarmupSteps': same(2),
    'train.lrFloor': same(0.01),
    'train.weightDecay': same(0.1),
    'train.decayGroups': same('all'),
    'train.beta1': same(0.8),
    'train.beta2': same(0.99),
    'train.adamEps': { text: '1e-6', value: 1e-6 },
    'train.seed': same(7),
    'train.gradClip': same(2),
    'train.evalEvery': same(2),
    'train.checkpointEvery': same(3),
    'train.keepCheckpoints': same(3),
    'train.earlyStopPatience': same(5),
    'train.latestEnd': same('2099-01-01T00:00'),
    'train.emaDecay': same(0.5),
    'prelora.switching': same('manual'),
    'prelora.snapshotEvery': same(2),
    'prelora.windowSize': same(2),
    'prelora.tau': same(0.5),
    'prelora.zeta': same(4),
    'prelora.normMetric': same('displacement'),
    'prelora.layerWeighting': same('linear'),
    'prelora.testFamilies': { text: 'q, v', value: ['q', 'v'] },
    'prelora.minStep': same(1),
    'prelora.trackDisplacement': same(false),
    'prelora.targetModules': same('paper'),
    'prelora.rankMetric': same('grad'),
    'prelora.rankPool': same('overall'),
    'prelora.rMin': same(2),
    'prelora.rMax': same(8),
    'prelora.rankBudget': same(90),
    'prelora.rankOverrides': { text: '{"blocks.0.attn.q": 2}', value: { 'blocks.0.attn.q': 2 } },
    'prelora.alphaMode': same('constant'),
    'prelora.alphaValue': same(8),
    'prelora.loraDropRate': same(0.1),
    'prelora.graceSteps': same(1),
    'prelora.jointSteps': same(2),
    'prelora.alsoFreeze': { text: 'norms', value: ['norms'] },
    'prelora.optimizerAtSwitch': same('keepByName'),
    'prelora.optimizerAtFreeze': same('keepByName'),
    'prelora.lrRampSteps': same(1),
    'control.action': same('freezeOnly'),
    'control.fixedEpoch': same(2),
    'control.ranks': same('uniform'),
    'control.uniformRank': same(4),
    'engine.backend': same('cpu'),
    'engine.compiled': same(false),
    'engine.threads': same(1),
    'engine.xla': same(true),
    'logging.metricsEvery': same(2),
    'logging.tensorboard': same(true),
  };
}

/** These two exclude each other, so they are proven in turn: displacement needs tracking. */
export const EXCLUSIVE = ['prelora.normMetric', 'prelora.trackDisplacement'] as const;

/** Texts that break the rule of a field, one kind of break at a time; null where the control cannot hold such a text. */
export const BREAKS: Record<string, (field: FieldEntry) => string | null> = {
  'too small': ({ type, min, aboveMin }) =>
    (type === 'integer' || type === 'number') && min !== undefined ? String(aboveMin ? min : min - 1) : type === 'duration' ? '-1' : null,
  'too large': ({ type, max }) => ((type === 'integer' || type === 'number') && max !== undefined ? String(max + 1) : null),
  // Any text may name a target module; what it names is a rule's to judge.
  'not of the type': ({ type, path }) =>
    path === 'prelora.targetModules'
      ? null
      : ({ integer: '2.5', number: 'much', duration: '2 epochs', list: 'sideways', map: '[1]' }[type as string] ?? null),
};

export function formFields(): FieldEntry[] {
  return fieldTable().filter(({ path }) => path !== 'preset' && path !== 'schemaVersion');
}
