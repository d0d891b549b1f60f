/**
 * The predicted peak against measured ones: VmHWM of fresh processes that did four or more updates of that phase and nothing else, with
 * TensorFlow 2.21 and our kernels on Linux x64, two cores (`prelora bench`, column peak). 15 % is the goal of issue 3.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { predictMemory } from '../../main/core/predictedMemory.ts';
import { predictImagesPerSecond } from '../../main/core/predictedSpeed.ts';
import { type BenchCase, CASES, setupOf } from '../../main/host/bench/cases.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';

function caseNamed(name: string, batch?: number): BenchCase {
  const found = CASES.find((known) => known.name === name) as BenchCase;
  return { ...found, batch: batch ?? found.batch };
}

const MEASURED_MEGABYTES = [
  ['ti65', 32, 'full', 968],
  ['s65', 32, 'full', 974],
  ['ti197', 8, 'full', 880],
  ['b197', 2, 'full', 2063],
  ['l197', 1, 'full', 5951],
  ['ti65', 32, 'lora', 935],
  ['s65', 32, 'lora', 916],
  ['ti197', 8, 'lora', 873],
  ['b197', 2, 'lora', 1254],
  ['l197', 1, 'lora', 2308],
] as const;

test.each(MEASURED_MEGABYTES)('%s in batches of %d, phase %s: near %d MB', (name, batch, phase, megabytes) => {
  const { config, ranks } = setupOf(caseNamed(name, batch), { phase, threads: 2 });
  const ratio = predictMemory(config, phase, ranks).totalBytes / (megabytes * 1e6);
  expect(Math.abs(ratio - 1)).toBeLessThan(0.15);
});

test('the parts add up to the total', () => {
  const { config, ranks } = setupOf(caseNamed('ti65'), { phase: 'warmup', threads: 2 });
  const { totalBytes, ...parts } = predictMemory(config, 'warmup', ranks);
  expect(Object.values(parts).reduce((sum, bytes) => sum + bytes)).toBeCloseTo(totalBytes, 3);
});

test('a larger micro-batch never needs less, and only activations and merged weights grow', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.constantFrom('full', 'warmup', 'lora'), (batch, phase) => {
      const setup = (size: number) => setupOf(caseNamed('s65', size), { phase, threads: 2 });
      const [small, large] = [batch, batch + 1].map((size) => predictMemory(setup(size).config, phase, setup(size).ranks));
      expect(large?.totalBytes).toBeGreaterThan(small?.totalBytes as number);
      // Adapters pass from rows to weights where the rows get many.
      const apart = { activationBytes: 0, mergedBytes: 0, totalBytes: 0 };
      expect({ ...large, ...apart }).toEqual({ ...small, ...apart });
    }),
  );
});

describe('settings that keep further copies', () => {
  const { config } = setupOf(caseNamed('ti65'), { phase: 'full', threads: 2 });
  const copiesOf = (change: (config: ResolvedConfig) => ResolvedConfig): number => predictMemory(change(config), 'full', {}).copiesBytes;
  const parameters = 4 * 5_362_762;

  test('none', () => expect(copiesOf((same) => same)).toBe(0));
  test('distances keep the watched weights: 12·D² per block', () => {
    expect(copiesOf((own) => ({ ...own, prelora: { ...own.prelora, trackDisplacement: true } }))).toBe(4 * 12 * 12 * 192 ** 2);
  });
  test('micro-batches keep the sum of the gradients, averaging a copy of the weights', () => {
    expect(copiesOf((own) => ({ ...own, train: { ...own.train, microBatch: 8 } }))).toBe(parameters);
    expect(copiesOf((own) => ({ ...own, train: { ...own.train, emaDecay: 0.9 } }))).toBe(parameters);
  });
});

describe('predicted speed', () => {
  const { config, ranks } = setupOf(caseNamed('ti65'), { phase: 'full', threads: 2 });
  const machine = { multiplyAddsPerSecond: 1e11, updatedParametersPerSecond: 1e9 };

  test('a machine twice as fast trains twice as fast', () => {
    const twice = { multiplyAddsPerSecond: 2e11, updatedParametersPerSecond: 2e9 };
    const ratio = predictImagesPerSecond(config, 'full', {}, twice) / predictImagesPerSecond(config, 'full', {}, machine);
    expect(ratio).toBeCloseTo(2, 12);
  });

  test('frozen linears make the LoRA phase faster, at most by half as much again where only products count', () => {
    const lora = setupOf(caseNamed('ti65'), { phase: 'lora', threads: 2 });
    const freeUpdates = { ...machine, updatedParametersPerSecond: Number.POSITIVE_INFINITY };
    const ratio =
      predictImagesPerSecond(lora.config, 'lora', lora.ranks, freeUpdates) / predictImagesPerSecond(config, 'full', ranks, freeUpdates);
    expect(ratio).toBeGreaterThan(1.1);
    expect(ratio).toBeLessThan(1.5);
  });
});
