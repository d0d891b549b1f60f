/** method.md sections 2, 10 and 13: what exists, trains and decays; the size table and TV11, exactly. */
import { describe, expect, it } from 'vitest';
import { allModules } from '../../main/core/modules.ts';
import { countParameters, parameterShapes, sizeOf } from '../../main/core/parameterShapes.ts';
import { targetModules, testedModules } from '../../main/core/targets.ts';
import { countInPhase, parametersInPhase, type TrainableSetConfig } from '../../main/core/trainableSet.ts';
import { DEFAULTS, namedModel, resolvedConfig } from './support.ts';

const LARGE = namedModel('large');

function config(
  changes: Partial<TrainableSetConfig['prelora']> = {},
  action: 'prelora' | 'freezeOnly' | 'resetOnly' = 'prelora',
): TrainableSetConfig {
  return {
    model: LARGE,
    prelora: { ...DEFAULTS.prelora, ...changes },
    control: { action },
    train: { decayGroups: 'weights' },
  };
}

function ranksAt(rank: number, targets: string[] | 'paper', depth: number): Record<string, number> {
  return Object.fromEntries(targetModules(targets, depth).map((module) => [module, rank]));
}

describe('counts', () => {
  it.each([
    ['tiny', 5_717_416, 5_329_152, 331_776, 720_040, '12.59'],
    ['small', 22_050_664, 21_275_136, 663_552, 1_439_080, '6.53'],
    ['base', 86_567_656, 85_017_600, 1_327_104, 2_877_160, '3.32'],
    ['large', 304_326_632, 302_211_072, 3_538_944, 5_654_504, '1.86'],
    ['huge', 632_045_800, 629_514_240, 5_898_240, 8_429_800, '1.33'],
  ] as const)('of ViT-%s are those of the size table', (size, parameters, inLinears, adapters, trainable, share) => {
    const sized = { ...config(), model: namedModel(size) };
    const counts = countInPhase(sized, 'lora', ranksAt(8, ['q', 'k', 'v', 'proj', 'fc1', 'fc2'], sized.model.depth));
    expect(counts).toMatchObject({ base: parameters, adapters, trainable });
    expect(counts.share.toFixed(2)).toBe(share);
    expect(parameters - (trainable - adapters)).toBe(inLinears);
  });

  it('TV11: parts of ViT-L/16', () => {
    const shapes = parameterShapes(LARGE);
    const sum = (test: RegExp): number => [...shapes].reduce((total, [path, shape]) => total + (test.test(path) ? sizeOf(shape) : 0), 0);
    expect(countParameters(LARGE)).toBe(304_326_632);
    expect(sum(/^(patchEmbed|clsToken|posEmbed)/)).toBe(990_208);
    expect(sum(/^blocks\.7\./)).toBe(12_596_224);
    expect(sum(/^norm\./)).toBe(2_048);
    expect(sum(/^head/)).toBe(1_025_000);
  });

  it.each([
    [['q', 'v'], 8, 786_432, 254_732_264, '83.70'],
    ['paper', 4, 1_572_864, 28_878_824, '9.49'],
    ['paper', 8, 3_145_728, 30_451_688, '10.01'],
    ['paper', 16, 6_291_456, 33_597_416, '11.04'],
    ['paper', 32, 12_582_912, 39_888_872, '13.11'],
    [['q', 'k', 'v', 'proj', 'fc1', 'fc2'], 8, 3_538_944, 5_654_504, '1.86'],
    [['q', 'k', 'v', 'proj', 'fc1', 'fc2'], 32, 14_155_776, 16_271_336, '5.35'],
    [['q', 'k', 'v', 'proj', 'fc1', 'fc2'], 64, 28_311_552, 30_427_112, '10.00'],
  ] as const)('TV11: %s at rank %i', (targets, rank, adapters, trainable, share) => {
    const targetModules = targets === 'paper' ? targets : [...targets];
    const counts = countInPhase(config({ targetModules }), 'lora', ranksAt(rank, targetModules, LARGE.depth));
    expect(counts).toMatchObject({ adapters, trainable });
    expect(counts.share.toFixed(2)).toBe(share);
  });

  it.each(['full', 'warmup', 'lora'] as const)('agree with the list of parameters in phase %s', (phase) => {
    const settings = resolvedConfig({ prelora: { targetModules: ['q', 'blocks.1.mlp.fc2'], alsoFreeze: ['k', 'norms'] } });
    const ranks = { 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 0, 'blocks.1.mlp.fc2': 16 };
    const listed = parametersInPhase(settings, phase, ranks);
    const size = (test: (state: (typeof listed)[number]) => boolean): number =>
      listed.filter(test).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    expect(countInPhase(settings, phase, ranks)).toMatchObject({
      base: size(({ role }) => role === 'base'),
      adapters: size(({ role }) => role === 'adapter'),
      trainable: size(({ trainable }) => trainable),
    });
  });
});

describe('the trainable set', () => {
  const ranks = { 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 4 };
  const trainablePaths = (
    changes: Parameters<typeof config>[0],
    action?: Parameters<typeof config>[1],
    phase: 'full' | 'warmup' | 'lora' = 'lora',
  ) => {
    const small = { ...config({ targetModules: ['q'], ...changes }, action), model: resolvedConfig().model };
    return parametersInPhase(small, phase, ranks)
      .filter(({ trainable }) => trainable)
      .map(({ path }) => path);
  };

  it('is the base in phase full, base and adapters in warmup', () => {
    expect(trainablePaths({}, 'prelora', 'full')).toEqual([...parameterShapes(resolvedConfig().model).keys()]);
    expect(trainablePaths({}, 'prelora', 'warmup')).toEqual([
      ...parameterShapes(resolvedConfig().model).keys(),
      'blocks.0.attn.q.loraA',
      'blocks.0.attn.q.loraB',
      'blocks.1.attn.q.loraA',
      'blocks.1.attn.q.loraB',
    ]);
  });

  it('loses weight and bias of every adapted linear at the freeze, and nothing else', () => {
    const before = trainablePaths({}, 'prelora', 'warmup');
    const after = trainablePaths({});
    expect(before.filter((path) => !after.includes(path))).toEqual([
      'blocks.0.attn.q.weight',
      'blocks.0.attn.q.bias',
      'blocks.1.attn.q.weight',
      'blocks.1.attn.q.bias',
    ]);
  });

  it('freezes with alsoFreeze what it names: unadapted linears, norms, embeddings; never the head', () => {
    const rest = trainablePaths({ alsoFreeze: ['k', 'v', 'proj', 'fc1', 'fc2', 'norms', 'embeddings'] });
    expect(rest).toEqual([
      'head.weight',
      'head.bias',
      'blocks.0.attn.q.loraA',
      'blocks.0.attn.q.loraB',
      'blocks.1.attn.q.loraA',
      'blocks.1.attn.q.loraB',
    ]);
  });

  it('keeps a module without adapter trainable unless alsoFreeze names its family', () => {
    const small = { ...config({ targetModules: ['q'] }), model: resolvedConfig().model };
    const stays = parametersInPhase(small, 'lora', { 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 0 });
    expect(stays.find(({ path }) => path === 'blocks.1.attn.q.weight')?.trainable).toBe(true);
    const named = { ...small, prelora: { ...small.prelora, alsoFreeze: ['q' as const] } };
    const frozen = parametersInPhase(named, 'lora', { 'blocks.0.attn.q': 4, 'blocks.1.attn.q': 0 });
    expect(frozen.find(({ path }) => path === 'blocks.1.attn.q.weight')?.trainable).toBe(false);
  });

  it('has no adapters under freezeOnly, which freezes the same linears', () => {
    const adapted = trainablePaths({});
    expect(trainablePaths({}, 'freezeOnly')).toEqual(adapted.filter((path) => !path.includes('lora')));
    expect(trainablePaths({ rankOverrides: { 'blocks.0.attn.q': 0 } }, 'freezeOnly')).toContain('blocks.0.attn.q.weight');
  });

  it('orients adapters as [in, r] and [r, out]', () => {
    const small = { ...config({ targetModules: ['fc1'] }), model: resolvedConfig().model };
    const states = parametersInPhase(small, 'lora', { 'blocks.0.mlp.fc1': 4 });
    expect(states.slice(-2)).toEqual([
      { path: 'blocks.0.mlp.fc1.loraA', shape: [64, 4], role: 'adapter', trainable: true, decays: true },
      { path: 'blocks.0.mlp.fc1.loraB', shape: [4, 256], role: 'adapter', trainable: true, decays: true },
    ]);
  });

  it('has no bias on q, k and v without qkvBias', () => {
    const small = resolvedConfig({ model: { qkvBias: false } });
    const paths = parametersInPhase(small, 'full', {}).map(({ path }) => path);
    expect(paths).not.toContain('blocks.0.attn.k.bias');
    expect(paths).toContain('blocks.0.attn.proj.bias');
  });

  it('decays weights and adapters, and everything under decayGroups all', () => {
    const small = { ...config(), model: resolvedConfig().model };
    const plain = parametersInPhase(small, 'warmup', ranks).filter(({ decays }) => !decays);
    expect(plain.every(({ path }) => /bias$|norm\d?\.weight$|^clsToken$|^posEmbed$/.test(path))).toBe(true);
    expect(plain.map(({ path }) => path)).toContain('blocks.1.norm2.weight');
    expect(plain.map(({ path }) => path)).not.toContain('patchEmbed.weight');
    const all = parametersInPhase({ ...small, train: { decayGroups: 'all' } }, 'warmup', ranks);
    expect(all.every(({ decays }) => decays)).toBe(true);
  });
});

describe('targets', () => {
  it('expand families, modules and the paper preset in module order', () => {
    expect(targetModules(['fc2', 'q', 'blocks.1.attn.k', 'q'], 2)).toEqual([
      'blocks.0.attn.q',
      'blocks.0.mlp.fc2',
      'blocks.1.attn.q',
      'blocks.1.attn.k',
      'blocks.1.mlp.fc2',
    ]);
    expect(targetModules('paper', 3)).toEqual(allModules(3).filter((module) => !module.endsWith('.k')));
  });

  it.each(['qkv', 'blocks.2.attn.q', 'blocks.0.mlp.q', 'blocks.00.attn.q', 'head', ''])('refuse %j by name', (name) => {
    expect(() => targetModules([name], 2)).toThrow(JSON.stringify(name));
  });

  it('are what is tested, unless families are listed, which takes all their layers', () => {
    const prelora = { targetModules: ['q', 'blocks.1.attn.v'], testFamilies: 'targets' as const };
    expect(testedModules(prelora, { action: 'prelora' }, 2)).toEqual({ q: ['blocks.0.attn.q', 'blocks.1.attn.q'], v: ['blocks.1.attn.v'] });
    expect(testedModules({ ...prelora, testFamilies: ['v'] }, { action: 'prelora' }, 2)).toEqual({
      v: ['blocks.0.attn.v', 'blocks.1.attn.v'],
    });
    expect(Object.keys(testedModules({ targetModules: [], testFamilies: 'targets' }, { action: 'resetOnly' }, 2))).toHaveLength(6);
  });
});
