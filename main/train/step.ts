/**
 * One training step as ordinary tfjs functions of named tensors: forward, loss, gradients, clip, update. Nothing random happens inside and
 * nothing is read; the same functions run eagerly and compiled (architecture.md section 5).
 */
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { FunctionResult, TensorSpec } from '../compile/program.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { tf } from '../engine/tf.ts';
import { injectAdapters, type RankPattern } from '../lora/inject.ts';
import { type Parameters, vit } from '../model/vit.ts';
import type { ModelShape } from '../protocol/config.ts';
import { type AdamWSettings, adamWUpdates } from './adamw.ts';
import { clipFactor, squaredNorms } from './clip.ts';
import { softTargetCrossEntropy } from './loss.ts';
import { maskInput, type RandomInput } from './randomInputs.ts';

/** What fixes a step's shape: the same for every update of one phase. */
export interface StepSetup {
  model: ModelShape;
  ranks: RankPattern;
  /** Paths that get gradients, in storage order. */
  trainable: readonly string[];
  decays: (path: string) => boolean;
  microBatch: number;
  groupOf: ReadonlyMap<string, number>;
  optimizer: AdamWSettings;
  random: readonly RandomInput[];
}

type Tensors = Readonly<Record<string, Tensor>>;

/** Inputs of the forward pass over one micro-batch. */
export function batchInputs({ model, microBatch, random }: StepSetup): Record<string, TensorSpec> {
  const inputs: Record<string, TensorSpec> = {
    patches: { shape: [microBatch, tokenCount(model) - 1, patchDim(model)], dtype: 'float32' },
    targets: { shape: [microBatch, model.numClasses], dtype: 'float32' },
    sampleWeights: { shape: [microBatch], dtype: 'float32' },
  };
  for (const { name, spec } of random) inputs[maskInput(name)] = spec;
  return inputs;
}

export interface BatchGradients {
  /** The micro-batch's share of the mean loss of the update. */
  loss: Scalar;
  logits: Tensor2D;
  gradients: Map<string, Tensor>;
}

/** Loss, logits and the gradient of every trainable parameter for one micro-batch. */
export function computeGradients(setup: StepSetup, variables: Tensors, inputs: Tensors): BatchGradients {
  const trainable = new Set(setup.trainable);
  const masks = Object.fromEntries(setup.random.map(({ name }) => [name, inputs[maskInput(name)] as Tensor]));
  let kept: Tensor2D | undefined;
  const lossOf = (...tensors: Tensor[]): Scalar => {
    const parameters: Parameters = readParameters(variables, setup, tensors);
    const context = { model: setup.model, parameters, masks, isTrainable: (path: string) => trainable.has(path) };
    const logits = vit(inputs.patches as Tensor3D, { ...context, linear: injectAdapters(context, setup.ranks) });
    kept = tf.keep(logits.clone());
    return softTargetCrossEntropy(logits, inputs.targets as Tensor2D, inputs.sampleWeights as Tensor1D);
  };
  const { value, grads } = tf.valueAndGrads(lossOf)(setup.trainable.map((path) => variables[path] as Tensor));
  const logits = (kept as Tensor2D).clone();
  (kept as Tensor2D).dispose();
  return { loss: value, logits, gradients: new Map(setup.trainable.map((path, i) => [path, grads[i] as Tensor])) };
}

/** All parameters by path, the trainable ones replaced by the tensors that gradients are taken for. */
function readParameters(variables: Tensors, { trainable }: StepSetup, tensors: readonly Tensor[]): Parameters {
  const parameters: Parameters = Object.create(null);
  const replaced = new Map(trainable.map((path, i) => [path, tensors[i] as Tensor]));
  for (const path of Object.keys(variables)) {
    if (path.includes('/')) continue; // moments, accumulators, averages
    Object.defineProperty(parameters, path, { enumerable: true, get: () => replaced.get(path) ?? variables[path] });
  }
  return parameters;
}

/** Clip and AdamW for complete gradients; nothing is assigned when the loss or the gradient norm is not finite. */
export function applyGradients(setup: StepSetup, inputs: Tensors, gradients: ReadonlyMap<string, Tensor>): FunctionResult {
  const squares = squaredNorms([...gradients.values()]);
  const clip = clipFactor(squares, inputs.gradClip as Tensor);
  const updates = adamWUpdates({ gradients, clip, groupOf: setup.groupOf, decays: setup.decays, inputs, settings: setup.optimizer });
  return { outputs: { gradSquares: squares }, updates, guard: tf.sum(squares) };
}
