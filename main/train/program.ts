/**
 * The program of one phase: which variables there are and what can be called on them. Built anew at the switch and at the freeze, because
 * the variables change; the state is read out of one program and written into the next (switchPhase.ts).
 *   step        one whole update from one batch (microBatch = batchSize)
 *   accumulate  adds one micro-batch's gradients;  apply: the update from the sum
 *   evaluate    logits of an evaluation batch;  norms: what a snapshot needs;  average: moves the averaged copy
 * Variable names: parameters by path; `m/`, `v/` moments; `gradient/` sums; `previous/` weights of the last snapshot; `average/` copies.
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { GraphFunction, GraphProgram, TensorSpec } from '../compile/program.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { tf } from '../engine/tf.ts';
import { injectAdapters, type RankPattern } from '../lora/inject.ts';
import { type Parameters, vit } from '../model/vit.ts';
import type { ModelShape } from '../protocol/config.ts';
import { adamWInputs } from './adamw.ts';
import { normsFunction, previousVariable } from './norms.ts';
import { applyGradients, batchInputs, computeGradients, type StepSetup } from './step.ts';

export interface PhaseProgramSetup extends StepSetup {
  /** Shapes of all parameters, adapters included. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** All 6·L modules in module order. */
  modules: readonly string[];
  accumulates: boolean;
  tracksDisplacement: boolean;
  /** Distinct update counts among the trainable parameters. */
  groups: number;
  evalBatch: number;
  /** Decay of the averaged copy, 0 when none is kept. */
  emaDecay: number;
}

/** Everything that can be called in one phase. */
export function createProgram(setup: PhaseProgramSetup): GraphProgram {
  const functions: Record<string, GraphFunction> = {
    ...(setup.accumulates ? { accumulate: accumulateFunction(setup), apply: applyFunction(setup) } : { step: stepFunction(setup) }),
    evaluate: evaluateFunction(setup),
    norms: normsFunction(setup.modules, setup.ranks, setup.tracksDisplacement),
    ...(setup.emaDecay > 0 ? { average: averageFunction(setup) } : {}),
  };
  return { variables: programVariables(setup), functions };
}

export type EvaluationSetup = Pick<PhaseProgramSetup, 'model' | 'ranks' | 'trainable' | 'shapes' | 'evalBatch' | 'emaDecay'>;

/** A program that only evaluates: the parameters, and their averaged copies where they are kept. */
export function createEvaluation(setup: EvaluationSetup): GraphProgram {
  const variables: Record<string, TensorSpec> = {};
  for (const [path, shape] of setup.shapes) variables[path] = { shape, dtype: 'float32' };
  if (setup.emaDecay > 0) {
    for (const path of setup.trainable) variables[averageVariable(path)] = variables[path] as TensorSpec;
  }
  return { variables, functions: { evaluate: evaluateFunction(setup) } };
}

/** A program over the same variables that only computes the gradients' squared norms: finds the tensor that is not finite. */
export function createProbe(setup: PhaseProgramSetup): GraphProgram {
  const probe: GraphFunction = {
    inputs: batchInputs(setup),
    body(variables, inputs) {
      const { loss, gradients } = computeGradients(setup, variables, inputs);
      return { outputs: { loss, gradSquares: tf.stack([...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)))) } };
    },
  };
  return { variables: programVariables(setup), functions: { probe } };
}

function programVariables(setup: PhaseProgramSetup): Record<string, TensorSpec> {
  const variables: Record<string, TensorSpec> = {};
  const add = (name: string, shape: readonly number[] | undefined): void => {
    if (shape) variables[name] = { shape, dtype: 'float32' };
  };
  for (const [path, shape] of setup.shapes) add(path, shape);
  for (const path of setup.trainable) {
    const shape = setup.shapes.get(path);
    add(`m/${path}`, shape);
    add(`v/${path}`, shape);
    if (setup.accumulates) add(gradientVariable(path), shape);
    if (setup.emaDecay > 0) add(averageVariable(path), shape);
  }
  if (setup.tracksDisplacement) for (const module of setup.modules) add(previousVariable(module), setup.shapes.get(`${module}.weight`));
  return variables;
}

/** Name of the variable that sums a parameter's gradient over micro-batches. */
export function gradientVariable(path: string): string {
  return `gradient/${path}`;
}

/** Name of the variable that holds a parameter's moving average. */
export function averageVariable(path: string): string {
  return `average/${path}`;
}

function stepFunction(setup: PhaseProgramSetup): GraphFunction {
  return {
    inputs: { ...batchInputs(setup), ...adamWInputs(setup.groups) },
    body(variables, inputs) {
      const { loss, logits, gradients } = computeGradients(setup, variables, inputs);
      const { outputs, updates, guard } = applyGradients(setup, inputs, gradients);
      return { outputs: { ...outputs, loss, logits }, updates, guard: tf.add(guard as Tensor, loss) };
    },
  };
}

function accumulateFunction(setup: PhaseProgramSetup): GraphFunction {
  return {
    // 0 for the first micro-batch of an update, 1 for the others.
    inputs: { ...batchInputs(setup), keep: { shape: [], dtype: 'float32' } },
    body(variables, inputs) {
      const { loss, logits, gradients } = computeGradients(setup, variables, inputs);
      const assign: Record<string, Tensor> = {};
      for (const [path, gradient] of gradients) {
        const name = gradientVariable(path);
        assign[name] = tf.add(tf.mul(variables[name] as Tensor, inputs.keep as Tensor), gradient);
      }
      return { outputs: { loss, logits }, assign };
    },
  };
}

function applyFunction(setup: PhaseProgramSetup): GraphFunction {
  return {
    inputs: adamWInputs(setup.groups),
    body(variables, inputs) {
      return applyGradients(setup, inputs, new Map(setup.trainable.map((path) => [path, variables[gradientVariable(path)] as Tensor])));
    },
  };
}

function evaluateFunction({ model, ranks, trainable, emaDecay, evalBatch }: EvaluationSetup): GraphFunction {
  const averaged = new Set(emaDecay > 0 ? trainable : []);
  return {
    inputs: { patches: { shape: [evalBatch, tokenCount(model) - 1, patchDim(model)], dtype: 'float32' } },
    body(variables, inputs) {
      const read = (path: string) => variables[averaged.has(path) ? averageVariable(path) : path];
      return { outputs: { logits: evaluationLogits(model, ranks, read, Object.keys(variables), inputs.patches as Tensor3D) } };
    },
  };
}

/** Logits without dropout and without gradients. */
function evaluationLogits(
  model: ModelShape,
  ranks: RankPattern,
  read: (path: string) => Tensor | undefined,
  names: string[],
  patches: Tensor3D,
): Tensor {
  const parameters: Parameters = Object.create(null);
  for (const path of names) {
    if (!path.includes('/')) Object.defineProperty(parameters, path, { enumerable: true, get: () => read(path) });
  }
  const context = { model, parameters, isTrainable: () => false };
  return vit(patches, { ...context, linear: injectAdapters(context, ranks) });
}

function averageFunction({ trainable, emaDecay }: PhaseProgramSetup): GraphFunction {
  return {
    inputs: {},
    body(variables) {
      const assign: Record<string, Tensor> = {};
      for (const path of trainable) {
        const name = averageVariable(path);
        assign[name] = tf.add(tf.mul(variables[name] as Tensor, emaDecay), tf.mul(variables[path] as Tensor, 1 - emaDecay));
      }
      return { outputs: {}, assign };
    },
  };
}
