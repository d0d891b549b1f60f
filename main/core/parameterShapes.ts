/**
 * Every parameter of the ViT by path, with its shape, in storage order: the one place that knows the geometry. Counts, rank
 * budgets, estimates, checkpoints and the model itself derive from it. Weights are `[in, out]` (method.md sections 1 and 2).
 */
import type { ModelShape } from '../protocol/config.ts';
import { FAMILIES, type Family } from '../protocol/families.ts';
import { moduleName } from './modules.ts';

export type Shape = readonly number[];

/** Tokens including the class token. */
export function tokenCount(model: Pick<ModelShape, 'imageSize' | 'patchSize'>): number {
  return (model.imageSize / model.patchSize) ** 2 + 1;
}

/** Width of the feed-forward part. */
export function hiddenDim(model: Pick<ModelShape, 'embedDim' | 'mlpRatio'>): number {
  return Math.round(model.mlpRatio * model.embedDim);
}

/** Values in one flattened patch, in (row, column, channel) order. */
export function patchDim(model: Pick<ModelShape, 'patchSize' | 'inChannels'>): number {
  return model.patchSize ** 2 * model.inChannels;
}

/** `[in, out]` of a linear layer of the given family. */
export function linearShape(model: Pick<ModelShape, 'embedDim' | 'mlpRatio'>, family: Family): [number, number] {
  const width = model.embedDim;
  const hidden = hiddenDim(model);
  if (family === 'fc1') return [width, hidden];
  if (family === 'fc2') return [hidden, width];
  return [width, width];
}

/** All parameters in storage order: embeddings, blocks, final norm, head. */
export function parameterShapes(model: ModelShape): Map<string, Shape> {
  const width = model.embedDim;
  const shapes = new Map<string, Shape>();
  const affine = (path: string, weight: Shape, bias = true): void => {
    shapes.set(`${path}.weight`, weight);
    if (bias) shapes.set(`${path}.bias`, [weight.at(-1) as number]);
  };
  affine('patchEmbed', [patchDim(model), width]);
  shapes.set('clsToken', [1, 1, width]);
  shapes.set('posEmbed', [1, tokenCount(model), width]);
  for (let layer = 0; layer < model.depth; layer++) {
    affine(`blocks.${layer}.norm1`, [width]);
    for (const family of FAMILIES) {
      if (family === 'fc1') affine(`blocks.${layer}.norm2`, [width]);
      const hasBias = model.qkvBias || !['q', 'k', 'v'].includes(family);
      affine(moduleName(layer, family), linearShape(model, family), hasBias);
    }
  }
  affine('norm', [width]);
  affine('head', [width, model.numClasses]);
  return shapes;
}

/** Values in a tensor of this shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** Parameters of the whole model without adapters. */
export function countParameters(model: ModelShape): number {
  let total = 0;
  for (const shape of parameterShapes(model).values()) total += sizeOf(shape);
  return total;
}

/** Shapes of the adapter pair of one module at one rank. */
export function adapterShapes(model: ModelShape, module: string, family: Family, rank: number): [string, Shape][] {
  const [inputs, outputs] = linearShape(model, family);
  return [
    [`${module}.loraA`, [inputs, rank]],
    [`${module}.loraB`, [rank, outputs]],
  ];
}
