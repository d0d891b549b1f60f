/** The models that test/fixtures/onnx/golden.py computes logits of: weights and pixels drawn as there, in transformers' names and layout. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { parameterShapes, sizeOf } from '../../main/core/parameterShapes.ts';
import { foreignPlace, toNative } from '../../main/exchange/foreignNames.ts';
import type { OnnxSource } from '../../main/exchange/onnxFile.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import type { Tensor } from '../../main/store/safetensors.ts';
import { tinyConfig } from '../support/tinyConfig.ts';

export const FIXTURES = path.join(import.meta.dirname, '../fixtures/onnx');
const SIZES = { imageSize: 12, patchSize: 4, embedDim: 32, depth: 3, numHeads: 4, mlpRatio: 1.5, inChannels: 3, numClasses: 5 } as const;

export const CASES = {
  plain: { layerNormEps: 1e-6 },
  'no qkv bias': { qkvBias: false, layerNormEps: 1e-3 },
  gray: { inChannels: 1, layerNormEps: 1e-12 },
} satisfies Record<string, Partial<ModelShape>>;
export type Case = keyof typeof CASES;

export const GOLDEN_LOGITS = (JSON.parse(readFileSync(path.join(FIXTURES, 'logits.json'), 'utf8')) as { logits: Record<Case, number[][]> })
  .logits;

export function modelOf(name: Case, changes: Partial<ModelShape> = {}): ModelShape {
  return tinyConfig({ model: { ...SIZES, ...CASES[name], ...changes } }).model;
}

export function sourceOf(model: ModelShape): OnnxSource {
  return {
    model,
    tensors: drawnTensors(model),
    classes: Array.from({ length: model.numClasses }, (_, i) => `klåss ${i}`),
    metadata: { classes: ['a'], preprocessing: { mean: [0.5], std: [Number.NaN] }, run: { name: 'é' } },
  };
}

export function drawnTensors(model: ModelShape): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of parameterShapes(model)) {
    const place = foreignPlace(name, shape, model, 'renamed');
    const middle = /(^|\.)norm[12]?\.weight$/.test(name) ? 1 : 0;
    tensors.set(name, { shape, data: toNative(drawn(place.name, sizeOf(place.shape), 0.6, middle), place, model) });
  }
  return tensors;
}

/** Four normalised images [4, K, S, S]. */
export function drawnPixels({ inChannels, imageSize }: ModelShape): Tensor {
  const shape = [4, inChannels, imageSize, imageSize];
  return { shape, data: drawn('pixel_values', sizeOf(shape), 4, 0) };
}

/** Uniform in middle ± spread/2, from the generator x → 1664525 x + 1013904223 (mod 2^32), seeded with the name's CRC-32. */
function drawn(name: string, size: number, spread: number, middle: number): Float32Array {
  let x = crc32(name);
  return Float32Array.from({ length: size }, () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return (x / 2 ** 32 - 0.5) * spread + middle;
  });
}
