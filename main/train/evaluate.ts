/** Scores from logits, on the host in double precision: cross-entropy, top-1, top-5. Every image counts once (method.md section 3). */

export interface EvaluationSums {
  loss: number;
  top1: number;
  top5: number;
  count: number;
}

/** Sums over `logits` `[count, C]` against `count` class indices. */
export function scoreLogits(logits: Float32Array, labels: Int32Array | Uint32Array): EvaluationSums {
  const count = labels.length;
  const sums = { loss: 0, top1: 0, top5: 0, count };
  const classes = logits.length / count;
  for (let row = 0; row < count; row++) {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    const label = labels[row] as number;
    const rank = rankOf(values, label);
    sums.loss += crossEntropy(values, label);
    if (rank < 1) sums.top1++;
    if (rank < 5) sums.top5++;
  }
  return sums;
}

/** Of one row of logits against its class. */
export function crossEntropy(values: Float32Array, label: number): number {
  return logSumExp(values) - (values[label] as number);
}

/** Adds up sums of batches; an empty list gives zeros. */
export function addSums(parts: Iterable<EvaluationSums>): EvaluationSums {
  const total = { loss: 0, top1: 0, top5: 0, count: 0 };
  for (const { loss, top1, top5, count } of parts) {
    total.loss += loss;
    total.top1 += top1;
    total.top5 += top5;
    total.count += count;
  }
  return total;
}

/** Of the first `count` rows, those whose largest logit is where the (mixed) target is largest; `targets` is `[count, C]`. */
export function countCorrect(logits: Float32Array, targets: Float32Array, count: number): number {
  const classes = targets.length / count;
  let correct = 0;
  for (let row = 0; row < count; row++) {
    const from = row * classes;
    if (indexOfLargest(logits, from, classes) === indexOfLargest(targets, from, classes)) correct++;
  }
  return correct;
}

/** Class probabilities of one row of logits. */
export function softmax(values: Float32Array): number[] {
  const total = logSumExp(values);
  return Array.from(values, (value) => Math.exp(value - total));
}

/** How many classes score higher; equal scores count for the lower index. */
function rankOf(values: Float32Array, label: number): number {
  const own = values[label] as number;
  let rank = 0;
  for (let c = 0; c < values.length; c++) {
    const value = values[c] as number;
    if (value > own || (value === own && c < label)) rank++;
  }
  return rank;
}

function logSumExp(values: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > largest) largest = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}

function indexOfLargest(values: Float32Array, from: number, length: number): number {
  let best = 0;
  for (let i = 1; i < length; i++) if ((values[from + i] as number) > (values[from + best] as number)) best = i;
  return best;
}
