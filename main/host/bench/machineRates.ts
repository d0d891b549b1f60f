/**
 * How fast this machine's native library does the parts of a step on their own: each matrix product, and AdamW's pass over a large
 * tensor. Each is measured as a compiled program over variables, so that nothing crosses into the library and out of it but a number.
 */
import { compileProgram } from '../../compile/compileProgram.ts';
import type { GraphProgram, TensorSpec } from '../../compile/program.ts';
import type { MatrixProduct } from '../../core/matrixProducts.ts';
import { median } from '../../core/statistics.ts';
import { tf } from '../../engine/tf.ts';

type Binding = Parameters<typeof compileProgram>[1];

const REPEATS = 5;
/** One call should take so long that calling does not count. */
const MULTIPLY_ADDS_PER_CALL = 1.5e9;
/** Bounds what is held: so many values in all the factors of one call. */
const VALUES_PER_CALL = 8e6;
const MOST_PER_CALL = 16;
const UPDATED_PARAMETERS = 4_000_000;

/** Seconds that one of each of these products takes; `count` does not matter. */
export function timeProducts(products: readonly MatrixProduct[], binding: Binding): number[] {
  return products.map((product) => {
    const copies = copiesPerCall(product);
    return timeProgram(productProgram(product, copies), 'multiply', binding) / copies;
  });
}

/** Seconds per parameter of AdamW with decay, on a tensor larger than the caches. */
export function timeUpdate(binding: Binding): number {
  return timeProgram(updateProgram(UPDATED_PARAMETERS), 'update', binding) / UPDATED_PARAMETERS;
}

/** Median wall time of a function without inputs, in seconds, after a first call that prepares. */
function timeProgram(program: GraphProgram, name: string, binding: Binding): number {
  const compiled = compileProgram(program, binding);
  try {
    compiled.writeVariables(Object.entries(program.variables).map(([variable, spec]) => [variable, noise(spec)] as const));
    compiled.call(name, {});
    const seconds = Array.from({ length: REPEATS }, () => {
      const started = performance.now();
      compiled.call(name, {});
      return (performance.now() - started) / 1000;
    });
    return median(seconds);
  } finally {
    compiled.dispose();
  }
}

/** How often a product is done in one call, each time with factors of its own: equal products would be computed once. */
function copiesPerCall({ m, k, n, batch }: MatrixProduct): number {
  const byWork = Math.ceil(MULTIPLY_ADDS_PER_CALL / (m * k * n * batch));
  const byMemory = Math.floor(VALUES_PER_CALL / (batch * (m * k + k * n)));
  return Math.max(1, Math.min(byWork, byMemory, MOST_PER_CALL));
}

function productProgram({ m, k, n, batch, transposed }: MatrixProduct, copies: number): GraphProgram {
  const spec = (rows: number, columns: number, isSwapped: boolean): TensorSpec => {
    const sides = isSwapped ? [columns, rows] : [rows, columns];
    return { shape: batch > 1 ? [batch, ...sides] : sides, dtype: 'float32' };
  };
  const variables: Record<string, TensorSpec> = {};
  for (let copy = 0; copy < copies; copy++) {
    variables[`left.${copy}`] = spec(m, k, transposed === 'left');
    variables[`right.${copy}`] = spec(k, n, transposed === 'right');
  }
  const multiply: GraphProgram['functions'][string] = {
    inputs: {},
    body(values) {
      const corners = Array.from({ length: copies }, (_, copy) => {
        const left = values[`left.${copy}`] as ReturnType<typeof tf.tensor>;
        const right = values[`right.${copy}`] as ReturnType<typeof tf.tensor>;
        const product = tf.matMul(left, right, transposed === 'left', transposed === 'right');
        const origin = product.shape.map(() => 0);
        return tf.reshape(
          tf.slice(
            product,
            origin,
            product.shape.map(() => 1),
          ),
          [],
        ); // one value leaves the library
      });
      return { outputs: { corners: tf.stack(corners) } };
    },
  };
  return { variables, functions: { multiply } };
}

function updateProgram(size: number): GraphProgram {
  const spec: TensorSpec = { shape: [size], dtype: 'float32' };
  const update: GraphProgram['functions'][string] = {
    inputs: {},
    body(values) {
      const [beta1, beta2, stepSize, epsilon, decay] = [0.9, 0.999, 1e-3, 1e-8, 1e-5].map((value) => tf.scalar(value)) as [
        ReturnType<typeof tf.scalar>,
        ReturnType<typeof tf.scalar>,
        ReturnType<typeof tf.scalar>,
        ReturnType<typeof tf.scalar>,
        ReturnType<typeof tf.scalar>,
      ];
      const gradient = values.gradient as ReturnType<typeof tf.tensor>;
      const adamW = { parameter: 'parameter', m: 'm', v: 'v', gradient, beta1, beta2, stepSize, epsilon, decay };
      return { outputs: { done: tf.scalar(0) }, updates: [adamW] };
    },
  };
  return { variables: { parameter: spec, m: spec, v: spec, gradient: spec }, functions: { update } };
}

/** Values between 0 and 1 with no zeros and no denormals: second moments must not be negative. A plain loop, for millions of values. */
function noise({ shape }: TensorSpec): Float32Array {
  const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
  for (let i = 0; i < values.length; i++) values[i] = 0.25 + (i % 97) / 200;
  return values;
}
