/**
 * The wasm backend: pure npm, always there, SIMD, one thread (multi-threading is off under Node, tensorflow/tfjs#3830).
 * Of the kernels a ViT step uses, 4.22 has all; it lacks Conv2DBackpropFilter, UnsortedSegmentSum, Einsum, LogSoftmax and BroadcastTo.
 * Its product with a transposed factor is 10 to 50 times slower than transposing first, and tfjs's own gradient of matMul asks for just that:
 * so the kernel is wrapped here, and everybody writes `tf.matMul(a, b, false, true)` as elsewhere.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import type { KernelBackend, KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import { tf } from './tf.ts';

const require = createRequire(import.meta.url);
const PACKAGE = '@tensorflow/tfjs-backend-wasm';

/** Registers the backend, makes it tfjs's current one and gives it back. Throws when the WebAssembly module does not start. */
export async function startWasm(): Promise<{ backend: KernelBackend; version: string; simd: boolean }> {
  const wasm = require(PACKAGE) as typeof import('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(`${path.dirname(require.resolve(PACKAGE))}${path.sep}`);
  if (!(await tf.setBackend('wasm'))) throw new Error('the WebAssembly module did not start');
  await tf.ready();
  transposeBeforeMatMul();
  return { backend: tf.backend(), version: wasm.version_wasm, simd: Boolean(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) };
}

interface MatMulArguments {
  inputs: { a: TensorInfo; b: TensorInfo };
  backend: KernelBackend;
  attrs: { transposeA: boolean; transposeB: boolean };
}

let isWrapped = false;

/** Replaces the BatchMatMul kernel with one that transposes a factor into a temporary first. Same sums in the same order, so the same bits. */
function transposeBeforeMatMul(): void {
  if (isWrapped) return;
  isWrapped = true;
  const matMul = kernel('BatchMatMul');
  const transpose = kernel('Transpose');
  const kernelFunc = ({ inputs, backend, attrs }: MatMulArguments): TensorInfo => {
    const swapped = (x: TensorInfo): TensorInfo => call(transpose, { x }, backend, { perm: swapLastAxes(x.shape.length) });
    const a = attrs.transposeA ? swapped(inputs.a) : inputs.a;
    const b = attrs.transposeB ? swapped(inputs.b) : inputs.b;
    const product = call(matMul, { a, b }, backend, { transposeA: false, transposeB: false });
    if (a !== inputs.a) backend.disposeData(a.dataId);
    if (b !== inputs.b) backend.disposeData(b.dataId);
    return product;
  };
  tf.unregisterKernel('BatchMatMul', 'wasm');
  tf.registerKernel({ ...matMul, kernelFunc: kernelFunc as unknown as KernelConfig['kernelFunc'] });
}

function kernel(name: string): KernelConfig {
  return tf.getKernel(name, 'wasm');
}

function call(config: KernelConfig, inputs: Record<string, TensorInfo>, backend: KernelBackend, attrs: object): TensorInfo {
  const run = config.kernelFunc as unknown as (args: { inputs: object; backend: KernelBackend; attrs: object }) => TensorInfo;
  return run({ inputs, backend, attrs });
}

function swapLastAxes(rank: number): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return [...axes.slice(0, -2), rank - 1, rank - 2];
}
