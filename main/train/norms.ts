/**
 * Norms of a snapshot as one function of the program (method.md section 6): for every module the Frobenius norm of the effective weight
 * W + γ·A·B and of its distance from the previous snapshot's. Reads only, but for the remembered previous weight. Gradient norms come from
 * the update itself, which needs them for clipping anyway.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { GraphFunction } from '../compile/program.ts';
import { tf } from '../engine/tf.ts';
import { adapterOf, type RankPattern } from '../lora/inject.ts';
import { effectiveWeight } from '../lora/layer.ts';
import { squaredNorms } from './clip.ts';

/** Name of the variable that keeps a module's weight of the previous snapshot. */
export function previousVariable(module: string): string {
  return `previous/${module}`;
}

/** Outputs `weightSquares` and, when distances are tracked, `distanceSquares`, both `[modules]`. */
export function normsFunction(modules: readonly string[], ranks: RankPattern, tracksDisplacement: boolean): GraphFunction {
  return {
    inputs: {},
    body(variables) {
      const weights = modules.map((module) => weightOf(variables, module, ranks));
      const outputs: Record<string, Tensor> = { weightSquares: squaredNorms(weights) };
      if (!tracksDisplacement) return { outputs };
      const previous = modules.map((module) => variables[previousVariable(module)] as Tensor);
      outputs.distanceSquares = squaredNorms(weights.map((weight, i) => tf.sub(weight, previous[i] as Tensor)));
      return { outputs, assign: Object.fromEntries(modules.map((module, i) => [previousVariable(module), weights[i] as Tensor])) };
    },
  };
}

function weightOf(variables: Readonly<Record<string, Tensor>>, module: string, ranks: RankPattern): Tensor2D {
  const weight = variables[`${module}.weight`] as Tensor2D;
  const place = ranks.get(module);
  return place ? effectiveWeight(weight, adapterOf(variables, module, place.alpha / place.rank)) : weight;
}
