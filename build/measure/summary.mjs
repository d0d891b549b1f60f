/** Times as they are told: the median, and the ends so that a reader sees how steady they were. */

/** `ms` sorted and rounded to a tenth. */
export function summary(ms) {
  const sorted = [...ms].sort((a, b) => a - b).map((value) => Math.round(10 * value) / 10);
  return { medianMs: sorted[Math.floor(sorted.length / 2)], fastestMs: sorted[0], slowestMs: sorted.at(-1), times: sorted.length };
}
