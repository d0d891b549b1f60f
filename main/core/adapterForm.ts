/**
 * In which of two forms an adapted linear is computed, by counts of what each needs beside the plain linear. For n rows and an adapter of
 * rank r on W `[in, out]` (lora/layer.ts has the formulas):
 *   merged    x·(W + γ·A·B): r·in·out multiply-adds (joint phase three times that), passes over in·out values, which are kept as well
 *   by rows   x·W + (γ·x·A)·B: r·n·(in + out) multiply-adds (joint phase three times that), passes over n·(in + out) values, none kept
 * Work and traffic, in either phase, compare the same two products; so does the rule.
 */

/** Whether so few rows pass an `[in, out]` weight that adapting them costs less than adapting the weight. */
export function adaptsRows(rows: number, [inputs, outputs]: readonly [inputs: number, outputs: number]): boolean {
  return rows * (inputs + outputs) < inputs * outputs;
}
