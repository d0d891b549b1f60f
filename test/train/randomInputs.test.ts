/** Dropout and drop path as inputs of the step: which there are, how they are drawn, and that no draw depends on another. */
import { describe, expect, test } from 'vitest';
import { drawRandomInputs, randomInputs } from '../../main/train/randomInputs.ts';
import { tinyConfig } from '../support/tinyConfig.ts';

const B = 8;
const NO_ADAPTERS = { modules: [], loraDropRate: 0 };

function inputsOf(
  model: NonNullable<Parameters<typeof tinyConfig>[0]>['model'],
  adapters = NO_ADAPTERS as { modules: string[]; loraDropRate: number },
) {
  return randomInputs(tinyConfig({ model }).model, B, adapters);
}

describe('the random inputs of a step', () => {
  test('are none at all when every rate is 0', () => {
    expect(inputsOf({}, { modules: ['blocks.0.attn.q'], loraDropRate: 0 })).toEqual([]);
  });

  test('drop values after the embeddings, proj and fc2, and weights in attention', () => {
    const inputs = inputsOf({ dropRate: 0.1, attnDropRate: 0.2, depth: 1 });
    expect(inputs.map(({ name, rate, spec }) => [name, rate, spec.shape])).toEqual([
      ['embed.dropout', 0.1, [B * 5, 8]],
      ['blocks.0.attnDropout', 0.2, [B, 2, 5, 5]],
      ['blocks.0.attn.dropout', 0.1, [B * 5, 8]],
      ['blocks.0.mlp.dropout', 0.1, [B * 5, 8]],
    ]);
  });

  test('skip branches more often in later blocks: linearly from 0 to the rate', () => {
    const rates = inputsOf({ dropPathRate: 0.3, depth: 4 }).map(({ name, rate }) => `${name} ${rate.toFixed(2)}`);
    expect(rates).toEqual([1, 2, 3].flatMap((layer) => ['attn', 'mlp'].map((branch) => `blocks.${layer}.${branch}.dropPath 0.${layer}0`)));
    expect(inputsOf({ dropPathRate: 0.3, depth: 1 }).map(({ rate }) => rate)).toEqual([0.3, 0.3]);
  });

  test("drop the adapters' inputs at the width of their module", () => {
    const inputs = inputsOf({}, { modules: ['blocks.0.attn.q', 'blocks.1.mlp.fc2'], loraDropRate: 0.5 });
    expect(inputs.map(({ name, spec }) => [name, spec.shape])).toEqual([
      ['blocks.0.attn.q.loraDropout', [B * 5, 8]],
      ['blocks.1.mlp.fc2.loraDropout', [B * 5, 32]],
    ]);
  });
});

describe('a draw', () => {
  const inputs = inputsOf(
    { dropRate: 0.25, attnDropRate: 0.5, dropPathRate: 0.5, embedDim: 64 },
    { modules: ['blocks.0.attn.q'], loraDropRate: 0.1 },
  );
  const draw = (seed: number, step: number, micro: number) => drawRandomInputs(inputs, seed, step, micro);

  test('holds 0 and 1/(1 − rate), about as many zeros as the rate says', () => {
    const feeds = draw(0, 1, 0);
    for (const { name, rate, spec } of inputs) {
      const values = feeds[`mask/${name}`]!;
      const size = spec.shape.reduce((product, side) => product * side, 1);
      expect(values, name).toHaveLength(size);
      expect(new Set(values), name).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
      const zeros = values.filter((value) => value === 0).length;
      // Five standard deviations of a binomial.
      expect(Math.abs(zeros - size * rate), name).toBeLessThan(5 * Math.sqrt(size * rate * (1 - rate)));
    }
  });

  test('is a function of seed, step and micro-batch; each of them changes every input', () => {
    expect(draw(1, 2, 3)).toEqual(draw(1, 2, 3));
    const first = draw(1, 2, 3);
    for (const other of [draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)]) {
      // A drop path of 8 samples may come out the same by chance.
      for (const name of Object.keys(first).filter((name) => !name.endsWith('dropPath')))
        expect(other[name], name).not.toEqual(first[name]);
    }
  });

  test('differs between inputs of one shape', () => {
    const feeds = draw(0, 1, 0);
    expect(feeds['mask/blocks.0.attn.dropout']).not.toEqual(feeds['mask/blocks.0.mlp.dropout']);
    expect(feeds['mask/blocks.0.attn.dropout']).not.toEqual(feeds['mask/blocks.1.attn.dropout']);
  });

  test('of the model does not depend on which adapters there are', () => {
    const model = { dropRate: 0.25, attnDropRate: 0.5, dropPathRate: 0.5 } as const;
    const without = drawRandomInputs(inputsOf(model), 0, 1, 0);
    const beside = drawRandomInputs(inputsOf(model, { modules: ['blocks.0.attn.q'], loraDropRate: 0.5 }), 0, 1, 0);
    for (const name of Object.keys(without)) expect(beside[name], name).toEqual(without[name]);
  });

  test('of one adapter does not depend on which other modules have one', () => {
    const model = {};
    const alone = drawRandomInputs(inputsOf(model, { modules: ['blocks.1.attn.q'], loraDropRate: 0.5 }), 0, 1, 0);
    const beside = drawRandomInputs(inputsOf(model, { modules: ['blocks.0.attn.q', 'blocks.1.attn.q'], loraDropRate: 0.5 }), 0, 1, 0);
    expect(beside['mask/blocks.1.attn.q.loraDropout']).toEqual(alone['mask/blocks.1.attn.q.loraDropout']);
  });

  test('of one kind does not depend on the rates of the others', () => {
    const alone = drawRandomInputs(inputsOf({ dropPathRate: 0.5 }), 0, 1, 0);
    const beside = drawRandomInputs(inputsOf({ dropPathRate: 0.5, dropRate: 0.1 }), 0, 1, 0);
    for (const name of Object.keys(alone)) expect(beside[name], name).toEqual(alone[name]);
  });
});
