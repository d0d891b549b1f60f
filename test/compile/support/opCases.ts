/** One small function per op family: what the shape rules are checked with, and compiled against eager. Inputs are filled from their specs. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import type { GraphFunction, GraphProgram, HostArray, TensorSpec } from '../../../main/compile/program.ts';
import { tf } from '../../../main/engine/tf.ts';

type Body = (...inputs: Tensor[]) => Tensor | Tensor[];

const f = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });
const i = (...shape: number[]): TensorSpec => ({ shape, dtype: 'int32' });
const b = (...shape: number[]): TensorSpec => ({ shape, dtype: 'bool' });

/** Inputs lie in (0.1, 0.9), so that every function here is defined and smooth on them. */
const CASES: Record<string, [TensorSpec[], Body]> = {
  unary: [
    [f(2, 3)],
    (x) => [tf.abs, tf.acos, tf.asin, tf.atan, tf.ceil, tf.cos, tf.cosh, tf.elu, tf.erf, tf.exp, tf.expm1, tf.floor].map((op) => op(x)),
  ],
  moreUnary: [
    [f(2, 3)],
    (x) =>
      [tf.log, tf.log1p, tf.neg, tf.reciprocal, tf.relu, tf.relu6, tf.round, tf.rsqrt, tf.selu, tf.sigmoid, tf.sign].map((op) => op(x)),
  ],
  yetMoreUnary: [[f(2, 3)], (x) => [tf.sin, tf.sinh, tf.softplus, tf.sqrt, tf.square, tf.tan, tf.tanh].map((op) => op(x))],
  leaky: [[f(4)], (x) => tf.leakyRelu(tf.sub(x, 0.5), 0.3)],
  likes: [[f(2, 2)], (x) => [tf.zerosLike(x), tf.onesLike(x), tf.clone(x)]],
  binary: [
    [f(2, 1, 3), f(4, 1)],
    (x, y) => [tf.add, tf.sub, tf.mul, tf.div, tf.pow, tf.maximum, tf.minimum, tf.squaredDifference, tf.atan2].map((op) => op(x!, y!)),
  ],
  integers: [[i(3), i(3)], (x, y) => [tf.add(x!, y!), tf.floorDiv(x!, tf.add(y!, 1)), tf.mod(x!, tf.add(y!, 1)), tf.mul(x!, y!)]],
  divisionWithoutNan: [[f(3), f(3)], (x, y) => tf.divNoNan(x!, tf.relu(tf.sub(y!, 0.5)))],
  comparisons: [
    [f(3), f(2, 1)],
    (x, y) => [tf.equal, tf.notEqual, tf.greater, tf.greaterEqual, tf.less, tf.lessEqual].map((op) => op(x!, y!)),
  ],
  logic: [[b(3), b(2, 3)], (x, y) => [tf.logicalAnd(x!, y!), tf.logicalOr(x!, y!), tf.logicalNot(x!)]],
  finite: [[f(3)], (x) => [tf.isFinite(x), tf.isInf(x), tf.isNaN(x)]],
  reductions: [
    [f(2, 3, 4)],
    (x) => [tf.sum(x, 0), tf.sum(x), tf.mean(x, -1, true), tf.max(x, [0, 2]), tf.min(x, 1, true), tf.prod(x, 1), tf.sum(x, [])],
  ],
  anyAll: [[b(2, 3)], (x) => [tf.any(x, 1), tf.all(x)]],
  arguments: [[f(2, 3, 4)], (x) => [tf.argMax(x, 1), tf.argMin(x, -1)]],
  softmax: [[f(2, 5)], (x) => [tf.softmax(x), tf.logSoftmax(x), tf.logSumExp(x, 1)]],
  products: [
    [f(3, 4), f(4, 5), f(5, 4), f(2, 3, 4), f(2, 4, 3)],
    (a, w, wt, p, q) => [
      tf.matMul(a!, w!),
      tf.matMul(a!, wt!, false, true),
      tf.matMul(p!, q!),
      tf.matMul(p!, p!, true),
      tf.matMul(p!, p!, false, true),
      tf.matMul(p!, w!),
    ],
  ],
  biased: [
    [f(3, 4), f(4, 5), f(5), f(1), f(3, 5)],
    (x, w, bias, one, full) => {
      const product = tf.matMul(x!, w!);
      return [tf.add(product, bias!), tf.add(bias!, product), tf.add(product, one!), tf.add(product, full!)];
    },
  ],
  casts: [
    [f(3), i(3), b(3)],
    (x, n, flag) => [tf.cast(x!, 'int32'), tf.cast(n!, 'float32'), tf.cast(flag!, 'float32'), tf.cast(n!, 'bool')],
  ],
  shapes: [
    [f(2, 3, 4)],
    (x) => [
      tf.reshape(x, [6, 4]),
      tf.reshape(x, [-1, 3]),
      tf.transpose(x, [2, 0, 1]),
      tf.expandDims(x, 1),
      tf.expandDims(x, -1),
      tf.squeeze(tf.slice(x, 0, 1)),
    ],
  ],
  parts: [
    [f(4, 6)],
    (x) => [tf.slice(x, [1, 2], [2, -1]), ...tf.split(x, [1, 3], 0), ...tf.split(x, 3, 1), ...tf.unstack(x, 1), tf.reverse(x, 1)],
  ],
  strided: [
    [f(5, 6, 3)],
    (x) => [
      tf.stridedSlice(x, [0, 1, 0], [5, 6, 3], [2, 2, 1]),
      tf.stridedSlice(x, [1, -1, 0], [4, 0, 3], [1, -2, 1]),
      tf.stridedSlice(x, [1, 0, 0], [2, 4, 3], [1, 1, 1], 0, 2, 0, 0, 1),
      tf.stridedSlice(x, [0, 0], [3, 4], [1, 1], 1, 0, 0, 2, 0),
    ],
  ],
  joins: [
    [f(2, 3), f(2, 2), f(2, 3)],
    (x, y, z) => [tf.concat([x!, y!], 1), tf.concat([x!, z!], 0), tf.stack([x!, z!], 1), tf.stack([x!, z!], -1), tf.addN([x!, z!])],
  ],
  padding: [
    [f(2, 3)],
    (x) => [
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
      tf.mirrorPad(
        x,
        [
          [1, 1],
          [0, 2],
        ],
        'reflect',
      ),
      tf.tile(x, [2, 3]),
    ],
  ],
  gathering: [
    [f(4, 3), i(2)],
    (x, at) => [tf.gather(x!, at!), tf.gather(x!, at!, 1), tf.unsortedSegmentSum(tf.slice(x!, 0, 2), at as Tensor1D, 5)],
  ],
  oneHot: [[i(3)], (x) => tf.oneHot(x, 4)],
  made: [
    [],
    () => [
      tf.fill([2, 3], 0.5),
      tf.zeros([40]),
      tf.ones([3, 20]),
      tf.range(0, 5),
      tf.scalar(2),
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.eye(3),
    ],
  ],
  chosen: [[b(2, 3), f(2, 3), f(2, 3)], (flag, x, y) => tf.where(flag!, x!, y!)],
  cumulative: [[f(3, 4)], (x) => [tf.cumsum(x, 1), tf.cumsum(x, 0, true, true), tf.cumprod(x, 1)]],
  topK: [[f(2, 5)], (x) => Object.values(tf.topk(x, 2))],
  clipped: [[f(6)], (x) => tf.clipByValue(x, 0.3, 0.6)],
  norm: [[f(3, 4)], (x) => tf.norm(x)],
  eluGradient: [[f(5)], (x) => tf.grad((value: Tensor) => tf.sum(tf.elu(tf.sub(value, 0.5))))(x)],
  gradients: [
    [f(3, 4), f(4, 2), f(2)],
    (x, w, bias) => tf.grads((...[a, c, d]: Tensor[]) => tf.sum(tf.square(tf.softmax(tf.add(tf.matMul(a!, c!), d!)))))([x!, w!, bias!]),
  ],
};

function toFunction([specs, body]: [TensorSpec[], Body]): GraphFunction {
  return {
    inputs: Object.fromEntries(specs.map((spec, index) => [`x${index}`, spec])),
    body: (_, inputs) => {
      const results = [body(...specs.map((_, index) => inputs[`x${index}`] as Tensor))].flat();
      return { outputs: Object.fromEntries(results.map((result, index) => [`y${index}`, result])) };
    },
  };
}

export const opCases: GraphProgram = {
  variables: {},
  functions: Object.fromEntries(Object.entries(CASES).map(([name, entry]) => [name, toFunction(entry)])),
};

/** The same feeds every time: floats in (0.1, 0.9), small non-negative integers, mixed flags. */
export function feedsFor(inputs: Readonly<Record<string, TensorSpec>>, salt = 0): Record<string, HostArray> {
  const feeds: Record<string, HostArray> = {};
  for (const [position, [name, { shape, dtype }]] of Object.entries(inputs).entries()) {
    const size = shape.reduce((product, side) => product * side, 1);
    const draw = (index: number) => Math.abs(Math.sin((index + 1) * 12.9898 + position * 78.233 + salt) * 43758.5453) % 1;
    if (dtype === 'float32') feeds[name] = Float32Array.from({ length: size }, (_, index) => 0.1 + 0.8 * draw(index));
    else if (dtype === 'int32') feeds[name] = Int32Array.from({ length: size }, (_, index) => Math.floor(3 * draw(index)));
    else feeds[name] = Uint8Array.from({ length: size }, (_, index) => Number(draw(index) > 0.5));
  }
  return feeds;
}
