/**
 * A long run's metrics for one message: of every stretch of neighbouring lines those with the smallest and the largest loss stay, so that
 * peaks survive. Files keep every line; what a page draws has a few thousand pixels at most.
 */
import type { MetricsRecord } from '../protocol/records.ts';

/** Below this many lines nothing is left out. */
const METRICS_AT_MOST = 20_000;

/** At most about `most` of the lines, in their order. */
export function thinMetrics(metrics: readonly MetricsRecord[], most = METRICS_AT_MOST): MetricsRecord[] {
  if (metrics.length <= most) return [...metrics];
  const stretch = Math.ceil((2 * metrics.length) / most);
  const kept: MetricsRecord[] = [];
  for (let start = 0; start < metrics.length; start += stretch) kept.push(...extremes(metrics.slice(start, start + stretch)));
  return kept;
}

/** First and last of a stretch by loss, in step order. Lines without a finite loss are events of their own and stay. */
function extremes(stretch: readonly MetricsRecord[]): MetricsRecord[] {
  const keep = new Set(stretch.filter(({ loss }) => loss === null || !Number.isFinite(loss)));
  const finite = stretch.filter((record) => !keep.has(record));
  const byLoss = (a: MetricsRecord, b: MetricsRecord): number => (a.loss as number) - (b.loss as number);
  const sorted = [...finite].sort(byLoss);
  for (const record of [sorted[0], sorted.at(-1)]) if (record) keep.add(record);
  return stretch.filter((record) => keep.has(record));
}
