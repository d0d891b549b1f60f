/** What a study trains: each control of method.md section 18 as the settings that define it, and nothing else changed. */
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../main/core/resolveConfig.ts';
import { differingField, planStudy, variantLayer } from '../../main/core/study.ts';
import { NAMED_VARIANTS, type NamedVariant } from '../../main/protocol/study.ts';
import { tinyConfig } from '../support/tinyConfig.ts';

const recipe = parseConfig({ ...tinyConfig({ train: { epochs: 12 } }), control: {} });
const plan = (variants: string[], seeds = [0]) => planStudy(recipe, { study: 's', variants, seeds });

describe('a study', () => {
  test('is every variant with every seed, seed by seed, each with a name that tells it', () => {
    const runs = plan(['prelora', 'full'], [3, 5]);
    expect(runs.map(({ variant, seed }) => `${variant} ${seed}`)).toEqual(['prelora 3', 'full 3', 'prelora 5', 'full 5']);
    expect(runs.map(({ config }) => config.train.seed)).toEqual([3, 3, 5, 5]);
    expect(runs[1]?.config.name).toBe('s full seed 3');
  });

  test.each([
    ['full', { prelora: { switching: 'off' } }],
    ['fixed@4', { control: { fixedEpoch: 4 } }],
    ['uniform', { control: { ranks: 'uniform', uniformRank: 'matched' } }],
    ['uniform@8', { control: { ranks: 'uniform', uniformRank: 8 } }],
    ['reversed', { control: { ranks: 'reversed' } }],
    ['freezeOnly', { control: { action: 'freezeOnly' } }],
    ['resetOnly', { control: { action: 'resetOnly' } }],
    ['stateKept', { prelora: { optimizerAtSwitch: 'keepByName', optimizerAtFreeze: 'keepByName', lrRampSteps: 0 } }],
    ['displacement', { prelora: { normMetric: 'displacement' } }],
    ['gradRanks', { prelora: { rankMetric: 'grad' } }],
    ['allFrozen', { prelora: { alsoFreeze: ['k', 'norms', 'embeddings'] } }],
    ['prelora.tau=0.5', { prelora: { tau: 0.5 } }],
    ['prelora.rankOverrides.blocks.0.attn.q=8', { prelora: { rankOverrides: { 'blocks.0.attn.q': 8 } } }],
  ])('%s changes what defines it and leaves the rest of the recipe', (variant, expected) => {
    const [first, changed] = plan(['prelora', variant]);
    const wanted = structuredClone(first?.config) as unknown as Record<string, object>;
    for (const [group, fields] of Object.entries(expected)) Object.assign(wanted[group] as object, fields);
    expect({ ...changed?.config, name: '' }).toEqual({ ...wanted, name: '' });
  });

  test('covers every named variant', () => {
    for (const [name, { value }] of Object.entries<NamedVariant>(NAMED_VARIANTS)) {
      expect(() => variantLayer(value ? `${name}@4` : name)).not.toThrow();
    }
  });

  test.each([
    [['nonsense'], 'variant nonsense: must be one of prelora, full'],
    [['fixed'], 'variant fixed: needs a value in epochs'],
    [['full@3'], 'full takes no value'],
    [['fixed@soon'], 'soon is not a number'],
    [['full', 'full'], 'variants: full is named twice'],
    [['prelora.tau=900'], 'prelora.tau 900'],
    [['fixed@40'], 'control.fixedEpoch 40: must be less than train.epochs 12'],
    [['prelora.switching=manual'], 'nobody is there to confirm'],
  ])('refuses %j with field, value and rule', (variants, words) => expect(() => plan(variants)).toThrow(words));

  test('tells a stored run of another recipe by the field that differs', () => {
    const stored = tinyConfig({ train: { epochs: 12 } });
    expect(differingField(stored, recipe)).toBeNull();
    expect(differingField(stored, { ...recipe, train: { ...recipe.train, epochs: 13 } })).toBe('train.epochs');
    expect(differingField(stored, { ...recipe, prelora: { ...recipe.prelora, minStep: null } })).toBeNull();
  });
});
