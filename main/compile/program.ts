/**
 * What a program of tensor functions is, and what a running one can do. The training loop is written against this page alone: eagerProgram.ts runs
 * the functions op by op on whatever backend is set, compileProgram.ts as one native TensorFlow graph (architecture.md section 5).
 * A program owns its variables (parameters, moments, accumulators); its functions share them. Everything that changes from call to call, the random
 * masks included, is an input.
 */
import type { Tensor } from '@tensorflow/tfjs-core';

export type TensorDtype = 'float32' | 'int32' | 'bool';

/** The host form of a tensor: float32, int32, bool (one byte each). */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Shape and type of a tensor; every side is known when the program is made. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
}

/**
 * AdamW on one parameter, in the form that needs one pass over it (Kingma & Ba 2014, end of section 2; decoupled decay of Loshchilov & Hutter 2017):
 *   g ← clip·gradient     m ← β1·m + (1−β1)·g     v ← β2·v + (1−β2)·g²     θ ← θ·(1 − decay) − stepSize · m / (√v + epsilon)
 * It equals method.md section 3 when stepSize = η·√(1−β2^t)/(1−β1^t), epsilon = adamEps·√(1−β2^t), decay = η·weightDecay.
 * All are scalars (rank 0, float32) of the function, so that t and η stay on the host. The betas act as float32: compute the corrections from
 * Math.fround(β), or the first steps are off by 1e-5.
 */
export interface AdamWUpdate {
  /** Names of three float32 variables of one shape. */
  readonly parameter: string;
  readonly m: string;
  readonly v: string;
  /** Same shape as the parameter. */
  readonly gradient: Tensor;
  /** Factor on the gradient; left out: 1. */
  readonly clip?: Tensor;
  readonly beta1: Tensor;
  readonly beta2: Tensor;
  readonly stepSize: Tensor;
  readonly epsilon: Tensor;
  /** Left out: the parameter is not decayed. */
  readonly decay?: Tensor;
}

/** What one function returns. The program disposes every tensor in it; a variable may be named in only one of `assign` and `updates`, once. */
export interface FunctionResult {
  /** Handed to the caller as typed arrays. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Variable name → its value from the next call on. */
  readonly assign?: Readonly<Record<string, Tensor>>;
  readonly updates?: readonly AdamWUpdate[];
  /**
   * A float32 scalar that must be finite. When it is not, `call` throws a NonFiniteError and no variable changes: the way a diverged update is not
   * applied (method.md section 5). Compiled: a CheckNumerics node on which every assignment depends.
   */
  readonly guard?: Tensor;
}

/**
 * An ordinary tfjs function of named tensors. `body` gets every variable as it was before the call, runs inside a tidy, must not dispose what it is
 * given, must not read tensor data and must not draw random numbers: it is called once per call when eager, once in all when compiled.
 */
export interface GraphFunction {
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  body(variables: Readonly<Record<string, Tensor>>, inputs: Readonly<Record<string, Tensor>>): FunctionResult;
}

/** Functions over one set of variables. Names are free, but hold no comma, colon or space. */
export interface GraphProgram {
  readonly variables: Readonly<Record<string, TensorSpec>>;
  readonly functions: Readonly<Record<string, GraphFunction>>;
}

/** What making the program took. */
export interface ProgramStats {
  /** Nodes of the native graph over all functions; 0 when eager. */
  readonly nodes: number;
  readonly traceMs: number;
  readonly loadMs: number;
}

/** A program with its variables, ready to be called; eager or compiled, the same to its user. */
export interface CompiledProgram {
  /** False: the functions run op by op. */
  readonly isCompiled: boolean;
  readonly stats: ProgramStats;
  /**
   * Runs one function, updates the variables it assigns and returns its outputs, all before returning. `feeds` holds one array per input.
   * Throws a RangeError for an unknown function, a missing or foreign feed, or one of another length or type than its input, and an Error for a
   * variable that has no value yet, and a NonFiniteError when its guard is not finite; the variables are then as before.
   */
  call(name: string, feeds: Readonly<Record<string, HostArray>>): Record<string, HostArray>;
  /** Copies of the variables' values. Large requests are read in parts, so the peak is the result and one part. */
  readVariables(names: Iterable<string>): Map<string, HostArray>;
  /**
   * Sets variables; `'zeros'` fills one without a host array. Values are copied as they are drawn from `entries`, so that a generator need not
   * hold them all. Throws a RangeError as `call` does; what was drawn before may be written.
   */
  writeVariables(entries: Iterable<readonly [name: string, value: HostArray | 'zeros']>): void;
  /** Frees variables and graph. Later calls throw. */
  dispose(): void;
}

/** The guard of a function was NaN or infinite; nothing was assigned. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
}

/** The function cannot become a graph; the message says why and names the op. Whoever compiles may run the program eagerly instead. */
export class UncompilableError extends Error {
  override readonly name = 'UncompilableError';
}
