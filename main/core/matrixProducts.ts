/**
 * The matrix products of one update, one by one, with their shapes: what a step consists of when all else is free. `prelora bench` times
 * each shape alone (benchmarks.md P6), the estimator multiplies them with the machine's rate. Counts are those of method.md sections 9,
 * 10 and 13: forward, gradient of the input, gradient of the weight where it trains.
 */
import { FAMILIES } from '../protocol/families.ts';
import type { Phase } from '../protocol/run.ts';
import { adaptsRows } from './adapterForm.ts';
import { moduleName } from './modules.ts';
import { linearShape, patchDim, tokenCount } from './parameterShapes.ts';
import type { Ranks } from './targets.ts';
import { adaptedModules, parametersInPhase, type TrainableSetConfig } from './trainableSet.ts';

/** `count` products [m, k]·[k, n], each `batch` times over (heads of attention). */
export interface MatrixProduct {
  m: number;
  k: number;
  n: number;
  batch: number;
  /** Which factor is stored transposed. */
  transposed: 'none' | 'left' | 'right';
  count: number;
}

type Shape = Omit<MatrixProduct, 'count'>;

/** Every distinct product of one pass over `microBatch` images, forward and backward. */
export function matrixProducts(config: TrainableSetConfig, phase: Phase, ranks: Ranks, microBatch: number): MatrixProduct[] {
  const { model } = config;
  const tokens = tokenCount(model);
  const trains = new Set(parametersInPhase(config, phase, ranks).flatMap(({ path, trainable }) => (trainable ? [path] : [])));
  const adapted = new Set<string>(phase === 'full' ? [] : adaptedModules(config, ranks));
  const tally = new Tally();
  for (let layer = 0; layer < model.depth; layer++) {
    // The last block computes keys and values for all tokens, the rest for the class token alone (model/classToken.ts).
    const isLast = layer === model.depth - 1;
    for (const family of FAMILIES) {
      const rows = microBatch * (isLast && family !== 'k' && family !== 'v' ? 1 : tokens);
      const module = moduleName(layer, family);
      const [inputs, outputs] = linearShape(model, family);
      const isTrained = trains.has(`${module}.weight`);
      addLinear(tally, { rows, inputs, outputs }, { input: true, weight: isTrained });
      if (adapted.has(module)) addAdapter(tally, { rows, inputs, outputs, rank: ranks[module] as number, isJoint: isTrained });
    }
    const heads = { batch: microBatch * model.numHeads, width: model.embedDim / model.numHeads };
    addAttention(tally, heads, { queries: isLast ? 1 : tokens, tokens });
  }
  const embedding = { rows: microBatch * (tokens - 1), inputs: patchDim(model), outputs: model.embedDim };
  addLinear(tally, embedding, { input: false, weight: trains.has('patchEmbed.weight') });
  addLinear(tally, { rows: microBatch, inputs: model.embedDim, outputs: model.numClasses }, { input: true, weight: true });
  return tally.products;
}

/** Multiply-adds of all of them. */
export function productMultiplyAdds(products: readonly MatrixProduct[]): number {
  return products.reduce((sum, { m, k, n, batch, count }) => sum + m * k * n * batch * count, 0);
}

interface LinearSize {
  rows: number;
  inputs: number;
  outputs: number;
}

function addLinear(tally: Tally, { rows, inputs, outputs }: LinearSize, gradients: { input: boolean; weight: boolean }): void {
  tally.add({ m: rows, k: inputs, n: outputs, batch: 1, transposed: 'none' });
  if (gradients.input) tally.add({ m: rows, k: outputs, n: inputs, batch: 1, transposed: 'right' });
  if (gradients.weight) tally.add({ m: inputs, k: rows, n: outputs, batch: 1, transposed: 'left' });
}

/** The adapter's own products: on the rows, or on the weight (core/adapterForm.ts). */
function addAdapter(tally: Tally, { rows, inputs, outputs, rank, isJoint }: LinearSize & { rank: number; isJoint: boolean }): void {
  const onRows = adaptsRows(rows, [inputs, outputs]);
  if (onRows) {
    tally.add({ m: rows, k: rank, n: outputs, batch: 1, transposed: 'none' });
    tally.add({ m: rows, k: rank, n: inputs, batch: 1, transposed: 'right' });
  } else {
    tally.add({ m: inputs, k: rank, n: outputs, batch: 1, transposed: 'none' });
  }
  if (isJoint && !onRows) {
    tally.add({ m: inputs, k: outputs, n: rank, batch: 1, transposed: 'right' });
    tally.add({ m: rank, k: inputs, n: outputs, batch: 1, transposed: 'left' });
    return;
  }
  tally.add({ m: rows, k: outputs, n: rank, batch: 1, transposed: 'right' });
  tally.add({ m: rows, k: inputs, n: rank, batch: 1, transposed: 'none' });
  tally.add({ m: inputs, k: rows, n: rank, batch: 1, transposed: 'left' });
  tally.add({ m: rank, k: rows, n: outputs, batch: 1, transposed: 'left' });
}

/** Scores and mixed values, each with the gradients of both factors. */
function addAttention(tally: Tally, { batch, width }: { batch: number; width: number }, rows: { queries: number; tokens: number }): void {
  const scores: Shape = { m: rows.queries, k: width, n: rows.tokens, batch, transposed: 'right' };
  const mixed: Shape = { m: rows.queries, k: rows.tokens, n: width, batch, transposed: 'none' };
  for (const shape of [scores, scores, mixed, mixed]) tally.add(shape);
  tally.add({ m: rows.tokens, k: rows.queries, n: width, batch, transposed: 'left' }, 2);
}

/** Counts equal shapes together. */
class Tally {
  readonly #found = new Map<string, MatrixProduct>();

  add(shape: Shape, count = 1): void {
    const key = JSON.stringify([shape.m, shape.k, shape.n, shape.batch, shape.transposed]);
    const known = this.#found.get(key);
    if (known) known.count += count;
    else this.#found.set(key, { ...shape, count });
  }

  get products(): MatrixProduct[] {
    return [...this.#found.values()];
  }
}
