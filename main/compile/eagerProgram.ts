/**
 * A program run op by op on the backend that is set: the reference the compiled program is tested against, and the way on wasm, cpu and webgpu.
 * Variables are kept tensors of this object; a call leaves no other tensor behind.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { checkAssigned, checkFeeds, checkValue, createHostArray, findFunction, findVariable } from './feeds.ts';
import {
  type AdamWUpdate,
  type CompiledProgram,
  type FunctionResult,
  type GraphProgram,
  type HostArray,
  NonFiniteError,
  type TensorSpec,
} from './program.ts';

/** Makes the program callable without compiling it. Variables have no value until `writeVariables`. */
export function runEager(program: GraphProgram): CompiledProgram {
  return new EagerProgram(program);
}

class EagerProgram implements CompiledProgram {
  readonly isCompiled = false;
  readonly stats = { nodes: 0, traceMs: 0, loadMs: 0 };
  readonly #program: GraphProgram;
  readonly #values = new Map<string, Tensor>();
  #isDisposed = false;

  constructor(program: GraphProgram) {
    this.#program = program;
  }

  call(name: string, feeds: Readonly<Record<string, HostArray>>): Record<string, HostArray> {
    this.#checkUsable();
    const fn = findFunction(this.#program, name);
    checkFeeds(name, fn, feeds);
    const inputs: Record<string, Tensor> = {};
    for (const [input, spec] of Object.entries(fn.inputs)) inputs[input] = createTensor(feeds[input] as HostArray, spec);
    try {
      const { outputs, assigned } = this.#evaluate(name, () => fn.body(this.#variables(), inputs));
      for (const [variable, value] of assigned) this.#replace(variable, value);
      return outputs;
    } finally {
      tf.dispose(inputs);
    }
  }

  readVariables(names: Iterable<string>): Map<string, HostArray> {
    this.#checkUsable();
    const values = new Map<string, HostArray>();
    for (const name of names) {
      findVariable(this.#program, name);
      // The cpu backend hands out its own storage: without the copy a later write would show through.
      values.set(name, (this.#valueOf(name).dataSync() as HostArray).slice());
    }
    return values;
  }

  writeVariables(entries: Iterable<readonly [name: string, value: HostArray | 'zeros']>): void {
    this.#checkUsable();
    for (const [name, value] of entries) {
      const spec = findVariable(this.#program, name);
      if (value !== 'zeros') checkValue(`variable "${name}"`, spec, value);
      this.#replace(name, createTensor(value === 'zeros' ? createHostArray(spec) : value, spec));
    }
  }

  dispose(): void {
    for (const value of this.#values.values()) value.dispose();
    this.#values.clear();
    this.#isDisposed = true;
  }

  /** Runs the body in a tidy: outputs come out as arrays, new values as tensors that the tidy spares. */
  #evaluate(name: string, body: () => FunctionResult): { outputs: Record<string, HostArray>; assigned: Map<string, Tensor> } {
    const assigned = new Map<string, Tensor>();
    const outputs: Record<string, HostArray> = {};
    tf.tidy(() => {
      const result = body();
      if (result.guard && !Number.isFinite(result.guard.dataSync()[0]))
        throw new NonFiniteError(`"${name}" is not finite; nothing was assigned`);
      for (const [variable, value] of Object.entries(result.assign ?? {})) assigned.set(variable, value.clone());
      for (const update of result.updates ?? []) {
        for (const [variable, value] of Object.entries(this.#adamW(update))) assigned.set(variable, value);
      }
      for (const [variable, value] of assigned) checkAssigned(name, variable, findVariable(this.#program, variable), value);
      for (const [output, value] of Object.entries(result.outputs)) outputs[output] = (value.dataSync() as HostArray).slice();
      return [...assigned.values()];
    });
    return { outputs, assigned };
  }

  /** The three new values of program.ts's AdamWUpdate, by variable name. */
  #adamW({ parameter, m, v, gradient, clip, beta1, beta2, stepSize, epsilon, decay }: AdamWUpdate): Record<string, Tensor> {
    const g = clip ? tf.mul(gradient, clip) : gradient;
    const old = this.#valueOf(parameter);
    const nextM = tf.add(tf.mul(this.#valueOf(m), beta1), tf.mul(g, tf.sub(1, beta1)));
    const nextV = tf.add(tf.mul(this.#valueOf(v), beta2), tf.mul(tf.square(g), tf.sub(1, beta2)));
    const kept = decay ? tf.mul(old, tf.sub(1, decay)) : old;
    const step = tf.mul(stepSize, tf.div(nextM, tf.add(tf.sqrt(nextV), epsilon)));
    return { [parameter]: tf.sub(kept, step), [m]: nextM, [v]: nextV };
  }

  /** All variables by name; reading one that was never written throws. */
  #variables(): Record<string, Tensor> {
    const variables: Record<string, Tensor> = {};
    for (const name of Object.keys(this.#program.variables)) {
      Object.defineProperty(variables, name, { enumerable: true, get: () => this.#valueOf(name) });
    }
    return variables;
  }

  #valueOf(name: string): Tensor {
    const value = this.#values.get(name);
    if (value) return value;
    throw new Error(`variable "${name}" has no value yet: write it first`);
  }

  #replace(name: string, value: Tensor): void {
    this.#values.get(name)?.dispose();
    this.#values.set(name, tf.keep(value));
  }

  #checkUsable(): void {
    if (this.#isDisposed) throw new Error('the program is disposed');
  }
}

function createTensor(value: HostArray, spec: TensorSpec): Tensor {
  // A copy, because some backends keep the array they are given and the caller may reuse it for the next batch.
  return tf.tensor(value.slice(), [...spec.shape], spec.dtype);
}
