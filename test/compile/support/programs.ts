/** Small programs that several test files run. */
import type { CompiledProgram, GraphProgram } from '../../../main/compile/program.ts';
import { tf } from '../../../main/engine/tf.ts';

/** Two functions over one variable: `add` adds its input and returns the value before, `read` returns it. */
export const counter: GraphProgram = {
  variables: { total: { shape: [2], dtype: 'float32' } },
  functions: {
    add: {
      inputs: { amount: { shape: [2], dtype: 'float32' } },
      body: ({ total }, { amount }) => ({ outputs: { before: total! }, assign: { total: tf.add(total!, amount!) } }),
    },
    read: { inputs: {}, body: ({ total }) => ({ outputs: { now: tf.mul(total!, 1) } }) },
  },
};

/** Side of the matrices of `rotating`. */
export const SIDE = 64;

/**
 * Every call rotates three matrices and updates a fourth in place while many slow readers still use it: were one assignment ahead of one read,
 * the checksum would be of the new value.
 */
export const rotating: GraphProgram = {
  variables: Object.fromEntries(['a', 'b', 'c', 'w', 'm', 'v'].map((name) => [name, { shape: [SIDE, SIDE], dtype: 'float32' as const }])),
  functions: {
    turn: {
      inputs: { scale: { shape: [], dtype: 'float32' } },
      body: ({ a, b, c, w }, { scale }) => {
        let late = tf.reshape(w!, [SIDE * SIDE]);
        for (let i = 0; i < 5; i++) late = tf.add(tf.mul(late, 0.5), tf.mul(tf.reshape(w!, [SIDE * SIDE]), 0.5));
        const products = [0, 1, 2].map((i) => tf.sum(tf.matMul(w!, [a!, b!, c!][i]!)));
        const scalar = (value: number) => tf.scalar(value);
        const update = { parameter: 'w', m: 'm', v: 'v', gradient: tf.mul(a!, scale!), beta1: scalar(0.9), beta2: scalar(0.99) };
        return {
          outputs: { sums: tf.stack([tf.sum(a!), tf.sum(b!), tf.sum(c!), tf.sum(late), ...products]), copy: w! },
          assign: { a: b!, b: c!, c: tf.add(a!, scale!) },
          updates: [{ ...update, stepSize: scalar(0.01), epsilon: scalar(1e-6), decay: scalar(0.1) }],
        };
      },
    },
  },
};

const BETA1 = 0.9;
const BETA2 = 0.999;

/** One AdamW update whose gradient and scalars are inputs. */
export const adamW: GraphProgram = {
  variables: Object.fromEntries(['w', 'm', 'v'].map((name) => [name, { shape: [3, 5], dtype: 'float32' as const }])),
  functions: {
    step: {
      inputs: {
        gradient: { shape: [3, 5], dtype: 'float32' },
        stepSize: { shape: [], dtype: 'float32' },
        epsilon: { shape: [], dtype: 'float32' },
        decay: { shape: [], dtype: 'float32' },
      },
      body: (_, { gradient, stepSize, epsilon, decay }) => ({
        outputs: { norm: tf.norm(gradient!) },
        updates: [
          {
            parameter: 'w',
            m: 'm',
            v: 'v',
            gradient: gradient!,
            beta1: tf.scalar(BETA1),
            beta2: tf.scalar(BETA2),
            stepSize: stepSize!,
            epsilon: epsilon!,
            decay: decay!,
          },
        ],
      }),
    },
  },
};

/** Runs `adamW` for some steps; returns the worst difference from the formula of method.md section 3 in doubles, relative to each value's size. */
export function adamWError(program: CompiledProgram, steps: number): number {
  const [lr, weightDecay, adamEps] = [0.01, 0.05, 1e-8];
  // The graph holds the betas as float32, so the corrections must be of those.
  const [b1, b2] = [Math.fround(BETA1), Math.fround(BETA2)];
  const w = Array.from({ length: 15 }, (_, i) => Math.fround(Math.sin(i)));
  const m = w.map(() => 0);
  const v = w.map(() => 0);
  program.writeVariables([
    ['w', Float32Array.from(w)],
    ['m', 'zeros'],
    ['v', 'zeros'],
  ]);
  for (let t = 1; t <= steps; t++) {
    const gradient = Float32Array.from({ length: 15 }, (_, i) => Math.cos(i * t));
    const [c1, c2] = [1 - b1 ** t, 1 - b2 ** t];
    const scalar = (value: number) => Float32Array.of(value);
    program.call('step', {
      gradient,
      stepSize: scalar((lr * Math.sqrt(c2)) / c1),
      epsilon: scalar(adamEps * Math.sqrt(c2)),
      decay: scalar(lr * weightDecay),
    });
    gradient.forEach((g, i) => {
      m[i] = b1 * m[i]! + (1 - b1) * g;
      v[i] = b2 * v[i]! + (1 - b2) * g * g;
      w[i] = w[i]! * (1 - lr * weightDecay) - (lr * (m[i]! / c1)) / (Math.sqrt(v[i]! / c2) + adamEps);
    });
  }
  const values = program.readVariables(['w', 'm', 'v']);
  const errors = Object.entries({ w, m, v }).flatMap(([name, exact]) =>
    exact.map((value, i) => Math.abs(values.get(name)![i]! - value) / Math.max(1e-3, Math.abs(value))),
  );
  return Math.max(...errors);
}
