/**
 * Peak memory of one phase before it is trained, in the parts that the compiled step allocates: the process with its libraries and the
 * graph, variables, gradients, and what the forward pass keeps for the backward pass. Sizes are counted (method.md section
 * 13, the gradients of main/model); the constants below are fitted to measured peaks (test/core/predictedMemory.test.ts holds the table).
 */
import type { ModelShape, ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { adaptsRows } from './adapterForm.ts';
import { phaseCost } from './cost.ts';
import { allModules, type ModuleName } from './modules.ts';
import { hiddenDim, linearShape, sizeOf, tokenCount } from './parameterShapes.ts';
import { placeOf, type Ranks } from './targets.ts';
import { adaptedModules } from './trainableSet.ts';

const BYTES = 4;

/** Node with TensorFlow loaded, before there is a model. */
const LIBRARY_BYTES = 380e6;
/** Graph and executors, per block; adapters have operations of their own. */
const GRAPH_BYTES_PER_BLOCK = 15e6;
const ADAPTER_GRAPH_BYTES_PER_BLOCK = 6e6;
/** Share of the smaller of gradients and kept activations that is there while the larger is whole: the one goes as the other comes. */
const OVERLAP = 0.6;

/** Bytes by what they are for. `totalBytes` is the sum of the others. */
export interface PredictedMemory {
  /** Node, TensorFlow's libraries, the program's graph: fitted, not counted. */
  processBytes: number;
  weightBytes: number;
  gradientBytes: number;
  /** AdamW's moments. */
  optimizerBytes: number;
  /** Weights of the last snapshot, averaged copies, sums over micro-batches. */
  copiesBytes: number;
  /** W + γ·A·B of layers that are adapted by their weights, kept from the forward to the backward pass. */
  mergedBytes: number;
  /** What one micro-batch keeps for its backward pass, as far as it stands beside the gradients when memory peaks. */
  activationBytes: number;
  totalBytes: number;
}

type PredictedConfig = Pick<ResolvedConfig, 'model' | 'train' | 'prelora' | 'control'>;

/** Predicted peak of the compiled native step in a process of that phase. `ranks` are not looked at in phase full. */
export function predictMemory(config: PredictedConfig, phase: Phase, ranks: Ranks): PredictedMemory {
  const { model, train } = config;
  const { memory, parameters } = phaseCost(config, phase, ranks, train.microBatch);
  const keptBytes = train.microBatch * keptPerImage(model);
  const larger = Math.max(keptBytes, memory.gradients);
  const mergedBytes = phase === 'full' ? 0 : mergedWeights(config, ranks);
  const hasAdapters = phase !== 'full' && adaptedModules(config, ranks).length > 0;
  const parts = {
    processBytes: LIBRARY_BYTES + model.depth * (GRAPH_BYTES_PER_BLOCK + (hasAdapters ? ADAPTER_GRAPH_BYTES_PER_BLOCK : 0)),
    weightBytes: memory.weights,
    gradientBytes: memory.gradients,
    optimizerBytes: memory.moments,
    copiesBytes: copies(config, parameters.trainable),
    mergedBytes,
    activationBytes: larger + OVERLAP * (keptBytes + memory.gradients - larger) - memory.gradients,
  };
  return { ...parts, totalBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/**
 * Kept per image between forward and backward: the input of every block part, normalised inputs, q, k, v, mixed values, and the hidden
 * values before and after GELU (8·D + 2·hidden per token and block). Attention weights are computed again, not kept.
 */
function keptPerImage(model: ModelShape): number {
  return BYTES * model.depth * tokenCount(model) * (8 * model.embedDim + 2 * hiddenDim(model));
}

/** W + γ·A·B of the adapted linears that are not computed by rows (adapterForm.ts). */
function mergedWeights(config: PredictedConfig, ranks: Ranks): number {
  const { model, train } = config;
  const rows = train.microBatch * tokenCount(model);
  const byWeights = adaptedModules(config, ranks).filter((module) => !adaptsRows(rows, linearShape(model, placeOf(module).family)));
  return watchedBytes(model, byWeights);
}

function copies({ model, train, prelora }: PredictedConfig, trainable: number): number {
  const previous = prelora.trackDisplacement ? watchedBytes(model, allModules(model.depth)) : 0;
  const sums = train.microBatch < train.batchSize ? BYTES * trainable : 0;
  const averages = train.emaDecay > 0 ? BYTES * trainable : 0;
  return previous + sums + averages;
}

/** Bytes of the weight matrices of these modules. */
function watchedBytes(model: ModelShape, modules: readonly ModuleName[]): number {
  return modules.reduce((sum, module) => sum + BYTES * sizeOf(linearShape(model, placeOf(module).family)), 0);
}
