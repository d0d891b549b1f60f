/** method.md section 13: the published ratios, byte counts and peak of each phase. */
import { describe, expect, it } from 'vitest';
import { activationBytes, multiplyAdds, phaseCost } from '../../main/core/cost.ts';
import { targetModules } from '../../main/core/targets.ts';
import type { TrainableSetConfig } from '../../main/core/trainableSet.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import { DEFAULTS, namedModel, resolvedConfig } from './support.ts';

const FAMILIES = ['q', 'k', 'v', 'proj', 'fc1', 'fc2'];

function at(
  model: ModelShape,
  rank: number,
  targets: string[] | 'paper' = FAMILIES,
): { config: TrainableSetConfig; ranks: Record<string, number> } {
  const config: TrainableSetConfig = {
    model,
    prelora: { ...DEFAULTS.prelora, targetModules: targets },
    control: { action: 'prelora' },
    train: { decayGroups: 'weights' },
  };
  return { config, ranks: Object.fromEntries(targetModules(targets, model.depth).map((module) => [module, rank])) };
}

/** Full ÷ lora over the blocks, as section 13 states it. */
function speedup(model: ModelShape, rank: number, targets?: string[] | 'paper'): number {
  const { config, ranks } = at(model, rank, targets);
  return multiplyAdds(config, 'full', ranks).blocks / multiplyAdds(config, 'lora', ranks).blocks;
}

describe('multiply-adds', () => {
  it.each([
    ['tiny', 1.3],
    ['small', 1.39],
    ['base', 1.44],
    ['large', 1.45],
    ['huge', 1.46],
  ] as const)('of %s at r = 8, all six: %f times fewer after the freeze', (size, ratio) => {
    expect(speedup(namedModel(size), 8)).toBeCloseTo(ratio, 2);
  });

  it('of small at 65 tokens, large at r = 32 and large with k trainable', () => {
    const small65 = { ...namedModel('small'), imageSize: 32, patchSize: 4 };
    expect(speedup(small65, 8)).toBeCloseTo(1.42, 2);
    expect(speedup(namedModel('large'), 32)).toBeCloseTo(1.38, 2);
    expect(speedup(namedModel('large'), 8, 'paper')).toBeCloseTo(1.4, 2);
  });

  it('of the joint phase are about 1.1 % or 4.5 % more than full at large', () => {
    for (const [rank, percent] of [
      [8, 1.1],
      [32, 4.5],
    ] as const) {
      const { config, ranks } = at(namedModel('large'), rank);
      const more = multiplyAdds(config, 'warmup', ranks).blocks / multiplyAdds(config, 'full', ranks).blocks - 1;
      expect(100 * more).toBeCloseTo(percent, 1);
    }
  });

  it('are the formulas 3·(c + a) and 2·c + 3·a + 54·r·D per token and block, ends apart', () => {
    const { config, ranks } = at(namedModel('base'), 8);
    const [tokens, width, blocks] = [197, 768, 12];
    const [c, a] = [12 * width ** 2, 2 * tokens * width];
    expect(multiplyAdds(config, 'full', ranks).blocks).toBe(tokens * blocks * 3 * (c + a));
    expect(multiplyAdds(config, 'warmup', ranks).blocks).toBe(tokens * blocks * (3 * (c + a) + 54 * 8 * width));
    const lora = multiplyAdds(config, 'lora', ranks);
    expect(lora.blocks).toBe(tokens * blocks * (2 * c + 3 * a + 54 * 8 * width));
    // Patch embedding: forward and weight gradient of 196 patches; head: three products of one token.
    expect(lora.ends).toBe(2 * 196 * 768 * width + 3 * width * 1000);
    expect(lora.total).toBe(lora.blocks + lora.ends);
  });

  it('lose the weight gradient of a frozen patch embedding', () => {
    const { config, ranks } = at(namedModel('base'), 8);
    const frozen = { ...config, prelora: { ...config.prelora, alsoFreeze: ['embeddings' as const] } };
    expect(multiplyAdds(config, 'lora', ranks).ends - multiplyAdds(frozen, 'lora', ranks).ends).toBe(196 * 768 * 768);
  });
});

describe('memory', () => {
  const gigabytes = (bytes: number): number => bytes / 1e9;

  it.each([
    ['full', FAMILIES, 4.87, 2.43],
    ['warmup', FAMILIES, 4.93, 2.46],
    ['lora', FAMILIES, 1.3, 0.045],
    ['lora', 'paper', 1.6, 0.244],
  ] as const)('of large at r = 8 in %s with %s', (phase, targets, state, moments) => {
    const { config, ranks } = at(namedModel('large'), 8, targets === 'paper' ? targets : [...targets]);
    const { memory } = phaseCost(config, phase, ranks, 1);
    expect(gigabytes(memory.state)).toBeCloseTo(state, 2);
    expect(gigabytes(memory.moments)).toBeCloseTo(moments, moments < 1 ? 3 : 2);
  });

  it('of base falls from 1.39 to 0.39 GB', () => {
    const { config, ranks } = at(namedModel('base'), 8);
    expect(gigabytes(phaseCost(config, 'full', ranks, 1).memory.state)).toBeCloseTo(1.39, 2);
    expect(gigabytes(phaseCost(config, 'lora', ranks, 1).memory.state)).toBeCloseTo(0.39, 2);
  });

  it('is 16·P, 16·(P + A) and 4·(P + A) + 12·Q', () => {
    const { config, ranks } = at(resolvedConfig().model, 4);
    const { base, adapters, trainable } = phaseCost(config, 'lora', ranks, 1).parameters;
    expect(phaseCost(config, 'full', ranks, 1).memory.state).toBe(16 * base);
    expect(phaseCost(config, 'warmup', ranks, 1).memory.state).toBe(16 * (base + adapters));
    expect(phaseCost(config, 'lora', ranks, 1).memory.state).toBe(4 * (base + adapters) + 12 * trainable);
  });

  it.each([
    ['tiny', 40],
    ['base', 161],
    ['large', 429],
  ] as const)('of one image’s activations is about %s: %i MB', (size, megabytes) => {
    expect(Math.round(activationBytes(namedModel(size)) / 1e6)).toBe(megabytes);
  });

  it('of activations grows with the micro-batch and does not fall with the freeze', () => {
    const { config, ranks } = at(namedModel('tiny'), 8);
    const [full, lora] = [phaseCost(config, 'full', ranks, 4).memory, phaseCost(config, 'lora', ranks, 4).memory];
    expect(full.activationsEstimate).toBe(4 * activationBytes(config.model));
    expect(lora.activationsEstimate).toBe(full.activationsEstimate);
    expect(full.totalEstimate).toBe(full.state + full.activationsEstimate);
  });
});
