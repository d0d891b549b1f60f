/** The offer after memory ran out: a micro-batch that the prediction says fits, whatever the run was. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { memoryShortage, shortageWords } from '../../main/core/memoryShortage.ts';
import { predictMemory } from '../../main/core/predictedMemory.ts';
import { CASES, setupOf } from '../../main/host/bench/cases.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';

const GIB = 2 ** 30;

function configOf(batchSize: number, microBatch = batchSize): ResolvedConfig {
  const { config } = setupOf({ ...CASES.find(({ name }) => name === 'ti197')!, batch: 8 }, { phase: 'full', threads: 2 });
  return { ...config, train: { ...config.train, batchSize, microBatch } };
}

const needs = (config: ResolvedConfig, microBatch: number) =>
  predictMemory({ ...config, train: { ...config.train, microBatch } }, 'full', {}).totalBytes;

describe('the micro-batch that is offered', () => {
  it('divides the batch, fits what could be had, and the next larger one does not', () => {
    const config = configOf(120);
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 8, noNaN: true }), (gib) => {
        const { fits, neededBytes } = memoryShortage(config, 'full', {}, gib * GIB);
        if (neededBytes <= gib * GIB) return; // the case below
        const divisors = Array.from({ length: 119 }, (_, i) => i + 1).filter((size) => 120 % size === 0);
        const fitting = divisors.filter((size) => needs(config, size) <= gib * GIB);
        expect(fits).toBe(fitting.at(-1) ?? null);
      }),
    );
  });

  it('is at most half where the prediction says that it should have fitted, and where nobody knows the memory', () => {
    expect(memoryShortage(configOf(64), 'full', {}, 500 * GIB)).toMatchObject({ microBatch: 64, fits: 32 });
    expect(memoryShortage(configOf(64, 16), 'full', {}, null)).toMatchObject({ microBatch: 16, fits: 8, availableBytes: null });
    expect(memoryShortage(configOf(1), 'full', {}, null).fits).toBeNull();
  });
});

test('the words name both micro-batches with what they need', () => {
  const words = shortageWords({ microBatch: 64, neededBytes: 5.2 * GIB, availableBytes: 3.1 * GIB, fits: 16, fitsBytes: 2.2 * GIB });
  expect(words).toBe(
    'memory ran out: train.microBatch 64 needs about 5.20 GiB, 3.10 GiB could be had; train.microBatch 16 needs about 2.20 GiB',
  );
  expect(shortageWords({ microBatch: 1, neededBytes: GIB, availableBytes: null, fits: null, fitsBytes: null })).toContain('smaller model');
});
