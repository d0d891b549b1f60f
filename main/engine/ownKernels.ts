/**
 * How the model asks for a kernel of our own (resources/kernels) in place of many operations: a backend that has them runs it, on any other the
 * caller does the same by tfjs's operations, which is also the reference the kernels are tested against. Only the traced step has them.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { tf } from './tf.ts';

/** Attributes of an operation by name, each in the field of its type. */
export type KernelAttributes = Readonly<Record<string, { readonly i: number } | { readonly f: number } | { readonly b: boolean }>>;

export interface OwnKernels {
  readonly hasOwnKernels: boolean;
  /** Runs `Prelora${name}`; returns its results in order, new tensors inside the caller's tidy. */
  runOwnKernel(name: string, inputs: readonly TensorInfo[], attributes?: KernelAttributes): Tensor[];
}

/** The current backend's own kernels, or null when it has none. */
export function ownKernels(): OwnKernels | null {
  const backend = tf.backend() as Partial<OwnKernels>;
  return backend.hasOwnKernels ? (backend as OwnKernels) : null;
}
