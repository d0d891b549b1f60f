/**
 * Peak memory of one phase before it is trained, in the parts that the compiled step allocates: the process with its libraries and the
 * graph, variables, gradients, what the forward pass keeps for the backward pass, and working space. Sizes are counted (method.md section
 * 13, the gradients of main/model); the constants below are fitted to measured peaks (test/core/predictedMemory.test.ts holds the table).
 */
import type { ModelShape, ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { phaseCost } from './cost.ts';
import { allModules, type ModuleName } from './modules.ts';
import { hiddenDim, linearShape, sizeOf, tokenCount } from './parameterShapes.ts';
import { placeOf, type Ranks } from './targets.ts';
import { adaptedModules } from './trainableSet.ts';

const BYTES = 4;

/** Node with TensorFlow loaded, before there is a model. */
const LIBRARY_BYTES = 385e6;
/** Graph and executors, per block; adapters have operations of their own. */
const GRAPH_BYTES_PER_BLOCK = 8e6;
const ADAPTER_GRAPH_BYTES_PER_BLOCK = 6e6;
/** Bytes in use at the peak for each byte that is kept: gradients of activations, temporary tensors, what malloc holds beside them. */
const ACTIVATION_FACTOR = { trained: 1.75, frozen: 1.5 };
/** Further copies of what trains while it is updated: clipped gradients, decayed shares. */
const UPDATE_COPIES = 1.5;
/** A·B beside W + γ·A·B while the latter is formed. */
const MERGE_SHARE = 0.5;

/** Bytes by what they are for. `totalBytes` is the sum of the others. */
export interface PredictedMemory {
  /** Node, TensorFlow's libraries, the program's graph. */
  processBytes: number;
  weightBytes: number;
  gradientBytes: number;
  /** AdamW's moments. */
  optimizerBytes: number;
  /** Weights of the last snapshot, averaged copies, sums over micro-batches. */
  copiesBytes: number;
  /** W + γ·A·B of adapted layers, kept from the forward to the backward pass. */
  mergedBytes: number;
  /** What one micro-batch keeps for its backward pass. */
  activationBytes: number;
  /** Temporary tensors, and what the allocator holds beside those in use: fitted, not counted. */
  workspaceBytes: number;
  totalBytes: number;
}

type PredictedConfig = Pick<ResolvedConfig, 'model' | 'train' | 'prelora' | 'control'>;

/** Predicted peak of the compiled native step in a process of that phase. `ranks` are not looked at in phase full. */
export function predictMemory(config: PredictedConfig, phase: Phase, ranks: Ranks): PredictedMemory {
  const { model, train } = config;
  const { memory, parameters } = phaseCost(config, phase, ranks, train.microBatch);
  const activationBytes = train.microBatch * keptBytes(model);
  const mergedBytes = phase === 'full' ? 0 : watchedBytes(model, adaptedModules(config, ranks));
  const hasAdapters = mergedBytes > 0;
  const parts = {
    processBytes: LIBRARY_BYTES + model.depth * (GRAPH_BYTES_PER_BLOCK + (hasAdapters ? ADAPTER_GRAPH_BYTES_PER_BLOCK : 0)),
    weightBytes: memory.weights,
    gradientBytes: memory.gradients,
    optimizerBytes: memory.moments,
    copiesBytes: copies(config, parameters.trainable),
    mergedBytes,
    activationBytes,
    workspaceBytes:
      (ACTIVATION_FACTOR[phase === 'lora' ? 'frozen' : 'trained'] - 1) * activationBytes +
      UPDATE_COPIES * memory.gradients +
      MERGE_SHARE * mergedBytes,
  };
  return { ...parts, totalBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/**
 * Kept per image between forward and backward: the input of every block part, normalised inputs, q, k, v, mixed values, and the hidden
 * values before and after GELU (8·D + 2·hidden per token and block), and the attention weights once.
 */
function keptBytes(model: ModelShape): number {
  const tokens = tokenCount(model);
  return BYTES * model.depth * (tokens * (8 * model.embedDim + 2 * hiddenDim(model)) + model.numHeads * tokens ** 2);
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
