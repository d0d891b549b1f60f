/** Layers, messages and refusals of a config: method.md sections 2 to 4, formats.md section 11, reliability.md R8. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveModel } from '../../main/core/modelSizes.ts';
import { editDistance, nearestName } from '../../main/core/nearestName.ts';
import { parseConfig, resolveConfig, resolveWithData } from '../../main/core/resolveConfig.ts';
import { parseSet } from '../../main/core/setArgument.ts';
import { THRESHOLD_PRESETS } from '../../main/core/thresholdPresets.ts';
import { fieldTable, findField } from '../../main/protocol/fieldTable.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { resolvedConfig } from './support.ts';

const PRESETS = join(import.meta.dirname, '../../resources/presets');
const SMALL = ['model.imageSize=32', 'model.patchSize=8'];

/** The error of a fault; fails when there is none, or it is not for the user. */
function faultOf(make: () => unknown): PreloraError {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(PreloraError);
    return error as PreloraError;
  }
  throw new Error('nothing was refused');
}

const setting = (...set: string[]) => faultOf(() => resolveConfig({ set: [...SMALL, ...set] }));
const withData = (values: Parameters<typeof resolvedConfig>[0], trainCount = 1000) => faultOf(() => resolvedConfig(values, trainCount));

describe('the layers of a config', () => {
  it('are defaults, preset, file and --set, each over the one before', () => {
    const config = resolveConfig({
      preset: { name: 'mine', values: { train: { lr: 0.01, epochs: 5, batchSize: 64 }, prelora: { targetModules: ['q', 'v'] } } },
      file: { train: { epochs: 7 }, prelora: { targetModules: ['k'] } },
      set: ['train.batchSize=32', 'name=07'],
    });
    expect(config.train).toMatchObject({ lr: 0.01, epochs: 7, batchSize: 32, weightDecay: 0.05 });
    expect(config.prelora.targetModules).toEqual(['k']);
    expect(config).toMatchObject({ preset: 'mine', name: '07' });
  });

  it('give the defaults when there are none', () => {
    const config = resolveConfig({});
    expect(config.model).toMatchObject({ size: 'tiny', embedDim: 192, depth: 12, numHeads: 3, patchSize: 16 });
    expect(config.prelora).toMatchObject({ tau: 1, zeta: 5, windowSize: 3, jointSteps: '1ep', rMin: 4, rMax: 32 });
  });

  it('cannot reach a prototype', () => {
    for (const file of [JSON.parse('{"__proto__": {"x": 1}}'), JSON.parse('{"train": {"__proto__": {"lr": 1}}}'), { constructor: 1 }]) {
      expect(faultOf(() => resolveConfig({ file })).message).toContain('unknown field');
    }
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe('--set', () => {
  it.each([
    ['train.lr=3e-4', ['train', 'lr'], 0.0003],
    ['train.dropLast=off', ['train', 'dropLast'], false],
    ['train.dropLast=true', ['train', 'dropLast'], true],
    ['prelora.switching=off', ['prelora', 'switching'], 'off'],
    ['train.lrWarmupSteps=2ep', ['train', 'lrWarmupSteps'], '2ep'],
    ['train.lrWarmupSteps=140', ['train', 'lrWarmupSteps'], 140],
    ['prelora.rankBudget=null', ['prelora', 'rankBudget'], null],
    ['prelora.targetModules=[q, k]', ['prelora', 'targetModules'], ['q', 'k']],
    ['prelora.targetModules=["q","k"]', ['prelora', 'targetModules'], ['q', 'k']],
    ['prelora.targetModules=q,k', ['prelora', 'targetModules'], ['q', 'k']],
    ['prelora.targetModules=q', ['prelora', 'targetModules'], ['q']],
    ['prelora.targetModules=paper', ['prelora', 'targetModules'], 'paper'],
    ['prelora.targetModules=[]', ['prelora', 'targetModules'], []],
    ['data.mean=[0.5, .25, 1]', ['data', 'mean'], [0.5, 0.25, 1]],
    ['prelora.rankOverrides.blocks.0.attn.q=8', ['prelora', 'rankOverrides', 'blocks.0.attn.q'], 8],
    ['prelora.rankOverrides={blocks.0.attn.q: 8}', ['prelora', 'rankOverrides'], { 'blocks.0.attn.q': 8 }],
    ['prelora.rankOverrides={"blocks.0.attn.q": 8}', ['prelora', 'rankOverrides'], { 'blocks.0.attn.q': 8 }],
    ['data.source=/data/a=b', ['data', 'source'], '/data/a=b'],
    ['data.source=123', ['data', 'source'], '123'],
    ['control.uniformRank=matched', ['control', 'uniformRank'], 'matched'],
    ['no.such=1', ['no', 'such'], 1],
  ])('%s', (argument, path, value) => {
    expect(parseSet(argument)).toEqual({ path, value });
  });

  it.each(['train.lr', '=3', ''])('%j is refused', (argument) => {
    expect(faultOf(() => parseSet(argument))).toMatchObject({ code: 'bad-arguments', message: expect.stringContaining('train.lr=3e-4') });
  });
});

describe('messages', () => {
  it.each([
    ['train.lr=3', 'train.lr', 'train.lr 3: must be at most 1'],
    ['train.lr=abc', 'train.lr', 'train.lr "abc": must be a finite number'],
    ['train.batchSize=1.5', 'train.batchSize', 'train.batchSize 1.5: must be a whole number'],
    ['prelora.tau=0', 'prelora.tau', 'prelora.tau 0: must be greater than 0'],
    ['prelora.rMin=3', 'prelora.rMin', 'prelora.rMin 3: must be a power of two from 1 to 1024'],
    ['prelora.switching=maybe', 'prelora.switching', 'prelora.switching "maybe": must be one of auto, manual, off'],
    ['model.patchSize=5', 'model.patchSize', 'patchSize 5 does not divide imageSize 32; use 1, 2, 4, 8, 16 or 32'],
    ['model.numHeads=5', 'model.numHeads', 'numHeads 5 does not divide embedDim 192; use 1, 2, 3, 4, 6 or 8'],
    ['train.microBatch=3', 'train.microBatch', 'microBatch 3 does not divide batchSize 128; use 1, 2, 4, 8, 16 or 32'],
    ['train.lrr=1', 'train.lrr', 'train.lrr: unknown field; did you mean train.lr?'],
    ['modle.depth=1', 'modle', 'modle: unknown field; did you mean model?'],
    ['lr=1', 'lr', 'lr: unknown field; did you mean train.lr?'],
    ['nothingLikeIt=1', 'nothingLikeIt', 'nothingLikeIt: unknown field'],
    [
      'train.lrWarmupSteps=5 ep',
      'train.lrWarmupSteps',
      'train.lrWarmupSteps "5 ep": must be a whole number of steps or text such as "2ep"',
    ],
    ['train.lrWarmupSteps=-1', 'train.lrWarmupSteps', 'train.lrWarmupSteps -1: must be at least 0'],
    ['train.lrWarmupSteps=true', 'train.lrWarmupSteps', 'train.lrWarmupSteps true: must be a whole number of steps or text such as "2ep"'],
    ['control.uniformRank=9', 'control.uniformRank', 'control.uniformRank 9: must be a power of two from 1 to 1024'],
    ['control.uniformRank=best', 'control.uniformRank', 'control.uniformRank "best": must be "matched" or a whole number from 1 to 1024'],
    ['prelora.testFamilies=[zz]', 'prelora.testFamilies.0', 'prelora.testFamilies.0 "zz": must be one of q, k, v, proj, fc1, fc2'],
    ['data.std=[1, 0]', 'data.std.1', 'data.std.1 0: must be greater than 0'],
    ['data.mean=[]', 'data.mean', 'data.mean []: must be at least 1 long'],
    ['train=3', 'train', 'train 3: must be a group of fields'],
    ['schemaVersion=2', 'schemaVersion', 'config is version 2, this program reads up to 1'],
    ['schemaVersion=0', 'schemaVersion', 'schemaVersion 0: must be 1'],
  ])('%s', (set, field, message) => {
    expect(setting(set)).toMatchObject({ code: 'bad-config', field, message });
  });

  it('name several faults at once, and count those beyond five', () => {
    const { message, field } = setting(
      'train.lr=3',
      'train.epochs=0',
      'train.beta1=2',
      'train.beta2=2',
      'train.seed=-1',
      'train.lrFloor=2',
    );
    expect(field).toBe('train.epochs');
    expect(message).toMatch(/^train\.epochs 0: must be at least 1; .*; and 1 more$/);
  });

  it('say what is allowed for a config that is none', () => {
    for (const file of [[], 'text', 3]) expect(faultOf(() => resolveConfig({ file })).message).toContain('must be a group of fields');
  });
});

describe('what is refused at load', () => {
  it.each([
    [{ prelora: { rMin: 64, rMax: 32 } }, 'prelora.rMin', 'at most prelora.rMax 32'],
    [{ prelora: { rankOverrides: { 'blocks.9.attn.q': 4 } } }, 'prelora.rankOverrides.blocks.9.attn.q', 'no module of this name'],
    [
      { prelora: { targetModules: ['q'], rankOverrides: { 'blocks.0.attn.k': 4 } } },
      'prelora.rankOverrides.blocks.0.attn.k',
      'gets no adapter',
    ],
    [{ prelora: { rankOverrides: { 'blocks.0.attn.q': 65 } } }, 'prelora.rankOverrides.blocks.0.attn.q', 'from 0 to 64'],
    [{ prelora: { alsoFreeze: ['head'] } }, 'prelora.alsoFreeze.0', 'the head always trains'],
    [{ prelora: { normMetric: 'displacement', trackDisplacement: false } }, 'prelora.normMetric', 'trackDisplacement on'],
    [{ prelora: { targetModules: [] } }, 'prelora.targetModules', 'at least one module'],
    [{ prelora: { targetModules: ['qkv'] } }, 'prelora.targetModules', 'must be a family'],
    [{ prelora: { rankBudget: 10 } }, 'prelora.rankBudget', 'at least 21.02 %'],
    [{ prelora: { snapshotEvery: 0 } }, 'prelora.snapshotEvery', 'at least 1 step'],
    [{ prelora: { snapshotEvery: '0ep' } }, 'prelora.snapshotEvery', 'at least 1 step'],
    [{ control: { fixedEpoch: 100 } }, 'control.fixedEpoch', 'less than train.epochs 100'],
    [{ control: { fixedEpoch: 1.9 } }, 'control.fixedEpoch', 'not lie before the second snapshot (step 14)'],
    [{ control: { fixedEpoch: 99 } }, 'control.fixedEpoch', 'less than the run'],
    [{ train: { lrWarmupSteps: 700 } }, 'train.lrWarmupSteps', "less than the run's 700 steps"],
    [{ prelora: { minStep: 701 } }, 'prelora.minStep', "at most the run's 700 steps"],
    [{ prelora: { graceSteps: '101ep' } }, 'prelora.graceSteps', "at most the run's 700 steps"],
    [{ prelora: { jointSteps: 701 } }, 'prelora.jointSteps', "at most the run's 700 steps"],
    [{ prelora: { lrRampSteps: 701 } }, 'prelora.lrRampSteps', "at most the run's 700 steps"],
    [{ model: { numClasses: 5 } }, 'model.numClasses', 'at least 10, the number of classes in the data'],
    [{ data: { mean: [0.5, 0.5] } }, 'data.mean', 'each of the 3 channels'],
    [{ train: { batchSize: 1001 } }, 'train.batchSize', 'at most 1000, the number of training images'],
    [{ model: { size: 'custom', depth: null } }, 'model.depth', 'must be given'],
  ] as [Parameters<typeof resolvedConfig>[0], string, string][])('%j', (values, field, rule) => {
    const fault = withData(values);
    expect(fault).toMatchObject({ code: field === 'prelora.rankBudget' ? 'budget-unreachable' : 'bad-config', field });
    expect(fault.message).toContain(rule);
  });

  it('is not what the rules allow at their edges', () => {
    expect(resolvedConfig({ control: { fixedEpoch: 2 } }).control.fixedEpoch).toBe(2);
    expect(resolvedConfig({ control: { fixedEpoch: 0.5, ranks: 'uniform' } }).control.fixedEpoch).toBe(0.5);
    expect(resolvedConfig({ control: { action: 'resetOnly' }, prelora: { targetModules: [] } }).prelora.targetModules).toEqual([]);
    expect(resolvedConfig({ prelora: { rankBudget: 21.02 } }).prelora.rankBudget).toBe(21.02);
    expect(resolvedConfig({ prelora: { jointSteps: 700, lrRampSteps: 700 } }).prelora.jointSteps).toBe(700);
    expect(resolvedConfig({ train: { batchSize: 1000 } }).train.microBatch).toBe(1000);
    expect(resolvedConfig({ train: { batchSize: 600, dropLast: false } }).train.batchSize).toBe(600);
  });
});

describe('what the data decides', () => {
  it('is filled in: micro-batch, warm-up, first tested step, channels, classes, statistics', () => {
    const config = resolvedConfig({ train: { batchSize: 100, epochs: 30 } });
    expect(config.train).toMatchObject({ microBatch: 100, lrWarmupSteps: 30 });
    expect(config.prelora.minStep).toBe(30);
    expect(config.model).toMatchObject({ inChannels: 3, numClasses: 10 });
    expect(config.data).toMatchObject({ mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] });
    expect(resolvedConfig({ train: { batchSize: 100, epochs: 100 } }).train.lrWarmupSteps).toBe(50);
  });

  it('leaves what was given', () => {
    const config = resolvedConfig({
      train: { lrWarmupSteps: '2ep', microBatch: 32 },
      model: { numClasses: 1000 },
      data: { std: [1, 1, 1] },
    });
    expect(config.train).toMatchObject({ lrWarmupSteps: '2ep', microBatch: 32 });
    expect(config.prelora.minStep).toBe('2ep');
    expect(config.model.numClasses).toBe(1000);
    expect(config.data.std).toEqual([1, 1, 1]);
  });

  it('gives gray statistics to each channel of a colour model', () => {
    const facts = { trainCount: 1000, channels: 1, numClasses: 10, mean: [0.25], std: [0.5] };
    const config = resolveWithData(resolveConfig({ set: [...SMALL, 'model.inChannels=3'] }), facts);
    expect(config.data).toMatchObject({ mean: [0.25, 0.25, 0.25], std: [0.5, 0.5, 0.5] });
  });

  it('shortens the default ramp to a very short run', () => {
    expect(resolvedConfig({ train: { epochs: 2 } }).prelora.lrRampSteps).toBe(14);
    expect(resolvedConfig().prelora.lrRampSteps).toBe(100);
  });

  it('can be resolved again without changing', () => {
    const config = resolvedConfig();
    const facts = { trainCount: 1000, channels: 1, numClasses: 2, mean: [0], std: [1] };
    expect(resolveWithData(parseConfig(JSON.parse(JSON.stringify(config))), facts)).toEqual(config);
  });
});

describe('model sizes', () => {
  it('set the geometry, and what is given by hand wins', () => {
    const { model } = resolveConfig({ set: ['model.size=huge'] });
    expect(model).toMatchObject({ embedDim: 1280, depth: 32, numHeads: 16, patchSize: 14 });
    expect(resolveModel({ ...model, size: 'tiny', patchSize: 4, embedDim: null, depth: 2, numHeads: null })).toMatchObject({
      embedDim: 192,
      depth: 2,
      numHeads: 3,
      patchSize: 4,
    });
  });
});

describe('the shipped presets', () => {
  const files = readdirSync(PRESETS).filter((name) => name.endsWith('.yaml'));
  const preset = (name: string) => resolveConfig({ preset: { name, values: parse(readFileSync(join(PRESETS, `${name}.yaml`), 'utf8')) } });

  it('are the five that are promised', () => {
    expect(files.sort()).toEqual(['cifar10.yaml', 'fashion-mnist.yaml', 'paper-vit-large.yaml', 'sample.yaml', 'smoke.yaml']);
  });

  it.each([
    ['smoke', 256, 1],
    ['sample', 12_000, 1],
    ['fashion-mnist', 60_000, 1],
    ['cifar10', 50_000, 3],
    ['paper-vit-large', 1_281_167, 3],
  ])('%s fits its data', (name, trainCount, channels) => {
    const statistics = Array.from({ length: channels }, () => 0.5);
    const facts = { trainCount, channels, numClasses: 10, mean: statistics, std: statistics };
    expect(resolveWithData(preset(name), facts).preset).toBe(name);
  });

  it('paper-vit-large is the recipe of method.md sections 3 and 4', () => {
    const config = preset('paper-vit-large');
    expect(config.model).toMatchObject({ size: 'large', embedDim: 1024, depth: 24, numHeads: 16, patchSize: 16, layerNormEps: 1e-12 });
    expect(config.data).toMatchObject({
      cropScaleMin: 0.08,
      flip: 0.5,
      randAugmentOps: 2,
      randAugmentMagnitude: 9,
      mixupAlpha: 0.8,
      cutmixAlpha: 0,
      labelSmoothing: 0.1,
    });
    expect(config.train).toMatchObject({
      epochs: 300,
      batchSize: 4096,
      microBatch: 16,
      dropLast: true,
      lr: 1e-3,
      lrWarmupSteps: 140,
      lrFloor: 0,
    });
    expect(config.train).toMatchObject({
      weightDecay: 1e-4,
      decayGroups: 'all',
      beta1: 0.9,
      beta2: 0.999,
      adamEps: 1e-8,
      seed: 100,
      gradClip: 1,
    });
    expect(config.prelora).toMatchObject({ snapshotEvery: 1000, targetModules: 'paper', jointSteps: '10ep', tau: 1, zeta: 5 });
  });

  it('thresholds come in four documented pairs', () => {
    const pairs = Object.fromEntries(Object.entries(THRESHOLD_PRESETS).map(([name, { tau, zeta }]) => [name, [tau, zeta]]));
    expect(pairs).toEqual({ relaxed: [5, 10], 'paper-exp1': [1, 5], 'paper-exp2': [0.5, 2.5], 'paper-exp3': [0.25, 1] });
  });
});

describe('the table of fields', () => {
  it('has every field once, with help and default', () => {
    const paths = fieldTable().map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    const config = resolveConfig({});
    for (const section of ['model', 'data', 'train', 'prelora', 'control', 'engine', 'logging'] as const) {
      for (const key of Object.keys(config[section])) expect(paths).toContain(`${section}.${key}`);
    }
    for (const { path, help, title } of fieldTable()) expect(`${path}${title && help ? '' : ' lacks words'}`).toBe(path);
  });

  it.each([
    ['train.lr', { type: 'number', min: 1e-7, max: 1, default: 0.001, nullable: false }],
    ['prelora.tau', { type: 'number', min: 0, aboveMin: true, max: 100, unit: '% per snapshot interval' }],
    ['prelora.minStep', { type: 'duration', nullable: true }],
    ['model.depth', { type: 'integer', min: 1, max: 64, nullable: true }],
    ['prelora.switching', { type: 'choice', choices: ['auto', 'manual', 'off'] }],
    ['prelora.targetModules', { type: 'list', words: ['paper'] }],
    ['prelora.testFamilies', { type: 'list', words: ['targets'], choices: ['q', 'k', 'v', 'proj', 'fc1', 'fc2'] }],
    ['control.uniformRank', { type: 'integer', words: ['matched'] }],
    ['prelora.rankOverrides', { type: 'map' }],
    ['train.dropLast', { type: 'boolean' }],
    ['data.source', { type: 'text' }],
  ])('%s', (path, entry) => {
    expect(findField(path)).toMatchObject(entry);
  });
});

describe('names', () => {
  it('are near when few letters differ', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(nearestName('learnignRate', ['learningRate', 'lr'])).toBe('learningRate');
    expect(nearestName('zebra', ['learningRate', 'lr'])).toBeNull();
  });
});

describe('any input', () => {
  const fields = fieldTable();
  const anything = fc.oneof(
    fc.anything(),
    fc.double(),
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.constantFrom(null, '2ep', 'off', 'matched', Number.NaN, -1, 0, 0.5, 1e300, [], {}),
  );

  /** A field, a part of one, or the section that a rule over several fields speaks of. */
  const namesField = (field = ''): boolean => findField(field) !== null || fields.some(({ path }) => path.startsWith(`${field}.`));

  it('R8: 5,000 random configs give a config or one message that names a field; nothing else is thrown', () => {
    const config = fc.array(fc.tuple(fc.constantFrom(...fields.map(({ path }) => path)), anything), { maxLength: 4 });
    let refused = 0;
    fc.assert(
      fc.property(config, (entries) => {
        const file: Record<string, Record<string, unknown>> = { model: { imageSize: 32, patchSize: 8 } };
        const touched = new Set<string>();
        for (const [path, value] of entries) {
          const [section, key] = path.split('.') as [string, string | undefined];
          if (key === undefined) continue;
          file[section] = { ...file[section], [key]: value };
          touched.add(section);
        }
        try {
          resolvedConfig(file);
        } catch (error) {
          if (!(error instanceof PreloraError)) throw error;
          refused++;
          expect(['bad-config', 'budget-unreachable']).toContain(error.code);
          expect(namesField(error.field), `${error.field}: no field and no section`).toBe(true);
          expect(touched).toContain((error.field ?? '').split('.')[0]);
        }
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  it('R8: a value outside its field is refused by that field’s name', () => {
    const ranged = fields.filter(({ type, max }) => (type === 'number' || type === 'integer') && max !== undefined);
    fc.assert(
      fc.property(fc.constantFrom(...ranged), fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (field, beyond) => {
        const [section, key] = field.path.split('.') as [string, string];
        for (const value of [(field.max as number) + beyond, (field.min as number) - beyond]) {
          const fault = faultOf(() => resolveConfig({ file: { [section]: { [key]: value } } }));
          expect(fault.field).toBe(field.path);
          expect(fault.message).toContain(`${field.path} ${value}: must be`);
        }
      }),
    );
  });

  it('as a whole config or as --set throws nothing but a PreloraError', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), fc.string(), (file, path, value) => {
        for (const sources of [
          { file },
          { preset: { name: 'x', values: file } },
          { set: [path] },
          { set: [`${path}=${value}`] },
          { set: [`train.${path}=${value}`] },
        ]) {
          try {
            resolveConfig(sources);
          } catch (error) {
            if (!(error instanceof PreloraError)) throw error;
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
