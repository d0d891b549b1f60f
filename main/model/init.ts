/**
 * Initial weights (method.md section 2): weights, clsToken and posEmbed normal with σ = initStd, cut at ±2; biases 0; LayerNorm 1 and 0.
 * Each parameter has its own place in the `init` stream, so that no tensor's values depend on another's shape.
 */
import { parameterShapes, sizeOf } from '../core/parameterShapes.ts';
import { randomStream, truncatedNormal } from '../core/random.ts';
import type { ModelShape } from '../protocol/config.ts';

export interface HostTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Fresh weights of the whole model by path, in storage order. */
export function initialParameters(model: ModelShape, seed: number): Map<string, HostTensor> {
  const parameters = new Map<string, HostTensor>();
  let index = 0;
  for (const [path, shape] of parameterShapes(model)) {
    parameters.set(path, { shape, data: initialValues(path, sizeOf(shape), model.initStd, seed, index++) });
  }
  return parameters;
}

function initialValues(path: string, size: number, std: number, seed: number, index: number): Float32Array {
  if (path.endsWith('.bias')) return new Float32Array(size);
  if (/(^|\.)norm[12]?\.weight$/.test(path)) return new Float32Array(size).fill(1);
  return truncatedNormal(randomStream(seed, 'init', index), size, std);
}
