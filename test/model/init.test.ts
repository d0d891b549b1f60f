/** First weights: method.md section 2's rule, one stream per tensor. */
import { describe, expect, test } from 'vitest';
import { parameterShapes } from '../../main/core/parameterShapes.ts';
import { initialParameters } from '../../main/model/init.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { expectSameBits } from '../support/tolerance.ts';

const model = tinyConfig({ model: { embedDim: 64, imageSize: 32, initStd: 0.05 } }).model;
const parameters = initialParameters(model, 3);

describe('initial parameters', () => {
  test('are all parameters of the model, in storage order and shape', () => {
    expect([...parameters].map(([path, { shape }]) => [path, shape])).toEqual([...parameterShapes(model)]);
  });

  test('are 0 in biases, 1 in LayerNorm scales', () => {
    for (const [path, { data }] of parameters) {
      const constant = path.endsWith('.bias') ? 0 : /norm\d?\.weight$/.test(path) ? 1 : null;
      if (constant !== null) expect(new Set(data), path).toEqual(new Set([constant]));
    }
  });

  test('are normal with spread initStd elsewhere, clsToken and posEmbed included', () => {
    for (const [path, { data }] of parameters) {
      if (path.endsWith('.bias') || /norm\d?\.weight$/.test(path)) continue;
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      const spread = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
      // Five standard errors of mean and spread of a normal sample.
      expect(Math.abs(mean), path).toBeLessThan((5 * model.initStd) / Math.sqrt(data.length));
      expect(Math.abs(spread - model.initStd), path).toBeLessThan((5 * model.initStd) / Math.sqrt(2 * data.length));
    }
  });

  test('differ by seed and between tensors, and repeat', () => {
    const again = initialParameters(model, 3);
    for (const [path, { data }] of parameters) expectSameBits(again.get(path)!.data, data, path);
    const q = 'blocks.0.attn.q.weight';
    expect(initialParameters(model, 4).get(q)!.data).not.toEqual(parameters.get(q)!.data);
    expect(parameters.get('blocks.0.attn.k.weight')!.data).not.toEqual(parameters.get(q)!.data);
  });

  test("do not depend on other tensors' shapes", () => {
    const more = initialParameters({ ...model, numClasses: 7, mlpRatio: 2 }, 3);
    for (const path of ['posEmbed', 'blocks.1.attn.v.weight']) expectSameBits(more.get(path)!.data, parameters.get(path)!.data, path);
  });
});
