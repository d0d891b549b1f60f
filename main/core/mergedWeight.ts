/** W + γ·A·B of one module on plain arrays, in float64 and rounded once (method.md section 10, formats.md section 3). */

/** Row-major float32 values. */
export interface Matrix {
  shape: readonly number[];
  data: Float32Array;
}

/** W `[in, out]`, A `[in, r]`, B `[r, out]`; `scaling` is γ = α / r. The result is new, `[in, out]`. */
export function mergedWeight(
  weight: Matrix,
  loraA: Matrix,
  loraB: Matrix,
  { rank, scaling }: { rank: number; scaling: number },
): Float32Array {
  const [inputs, outputs] = weight.shape as [number, number];
  const result = new Float32Array(inputs * outputs);
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const a = loraA.data[i * rank + r] as number;
      for (let j = 0; j < outputs; j++) row[j] = (row[j] as number) + a * (loraB.data[r * outputs + j] as number);
    }
    for (let j = 0; j < outputs; j++) result[i * outputs + j] = (weight.data[i * outputs + j] as number) + scaling * (row[j] as number);
  }
  return result;
}
