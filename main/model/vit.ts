/**
 * The Vision Transformer (arXiv 2010.11929) as a function of named tensors: flattened patches in, logits out. timm's vocabulary and
 * layout, with q, k and v as separate parameters (method.md section 2). Holds no state and draws nothing random.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { tf } from '../engine/tf.ts';
import type { ModelShape } from '../protocol/config.ts';
import { type BlockContext, block, lastBlock } from './block.ts';
import { layerNorm } from './layerNorm.ts';
import { frozenLinear, inputLinear, type LinearLayer, trainableLinear } from './linear.ts';

export type Parameters = Record<string, Tensor>;

export interface ViTContext {
  model: ModelShape;
  parameters: Parameters;
  isTrainable: (path: string) => boolean;
  /** Replaces the plain linear layers of the blocks; LoRA comes in here. */
  linear?: LinearLayer;
  /** Dropout, attention-dropout and drop-path factors by name (train/randomInputs.ts); none in evaluation. */
  masks?: Record<string, Tensor>;
}

/** Logits `[B, numClasses]` of flattened patches `[B, N−1, P·P·K]`. Runs inside the caller's tidy. */
export function vit(patches: Tensor3D, context: ViTContext): Tensor2D {
  const { model, masks = {} } = context;
  const linear = context.linear ?? plainLinear(context);
  const norm = (module: string, x: Tensor2D): Tensor2D => layerNorm(x, normWeights(context, module), model.layerNormEps);
  const inside: BlockContext = { linear, norm, mask: (name) => masks[name], shape: { B: patches.shape[0], numHeads: model.numHeads } };

  let x = embed(patches, context); // [B·N, D]
  const last = model.depth - 1;
  for (let layer = 0; layer < last; layer++) x = block(x, `blocks.${layer}`, inside);
  const classToken = lastBlock(x, `blocks.${last}`, inside); // [B, D]; LayerNorm works row by row, so it too needs that row alone
  return plainLinear(context)('head', norm('norm', classToken));
}

/** Patch embedding (a matmul over flattened patches), class token in front, position embedding added: `[B·N, D]`. */
function embed(patches: Tensor3D, { model, parameters, isTrainable, masks = {} }: ViTContext): Tensor2D {
  const B = patches.shape[0];
  const N = tokenCount(model);
  const D = model.embedDim;
  const rows = tf.reshape(patches, [B * (N - 1), patchDim(model)]) as Tensor2D;
  const weights = linearWeights(parameters, 'patchEmbed');
  const embedded = isTrainable('patchEmbed.weight') ? inputLinear(rows, weights) : frozenLinear(rows, weights);
  const classTokens = tf.tile(parameter(parameters, 'clsToken'), [B, 1, 1]);
  const tokens = tf.concat([classTokens, tf.reshape(embedded, [B, N - 1, D])], 1); // [B, N, D]
  const placed = tf.reshape(tf.add(tokens, parameter(parameters, 'posEmbed')), [B * N, D]) as Tensor2D;
  const dropout = masks['embed.dropout'];
  return dropout ? tf.mul(placed, dropout) : placed;
}

/** The linear layers as they are without adapters. */
export function plainLinear({ parameters, isTrainable }: Pick<ViTContext, 'parameters' | 'isTrainable'>): LinearLayer {
  return (module, x) => {
    const weights = linearWeights(parameters, module);
    return isTrainable(`${module}.weight`) ? trainableLinear(x, weights) : frozenLinear(x, weights);
  };
}

/** Weight and, where there is one, bias of a linear layer by module name. */
export function linearWeights(parameters: Parameters, module: string): { weight: Tensor2D; bias: Tensor1D | undefined } {
  return { weight: parameter(parameters, `${module}.weight`) as Tensor2D, bias: parameters[`${module}.bias`] as Tensor1D | undefined };
}

function normWeights({ parameters, isTrainable }: ViTContext, module: string) {
  return {
    weight: parameter(parameters, `${module}.weight`) as Tensor1D,
    bias: parameter(parameters, `${module}.bias`) as Tensor1D,
    isTrainable: isTrainable(`${module}.weight`),
  };
}

function parameter(parameters: Parameters, path: string): Tensor {
  const tensor = parameters[path];
  if (!tensor) throw new Error(`the model has no parameter ${path}`);
  return tensor;
}
