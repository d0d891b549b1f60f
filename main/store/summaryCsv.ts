/**
 * summary.csv: one row per epoch in the columns and units of timm's own summary, so that its readers and plotting scripts work:
 * CRLF line ends, accuracies in percent, `nan` and `inf`, never quoted (formats.md section 10).
 */
import type { EpochRecord } from '../protocol/records.ts';

const HEADER = 'epoch,train_loss,eval_loss,eval_top1,eval_top5,lr';

/** The whole file for these epochs. An epoch without evaluation leaves its fields empty. */
export function formatSummary(epochs: readonly EpochRecord[]): string {
  const rows = epochs.map(({ epoch, trainLoss, valLoss, valTop1, valTop5, lr }) =>
    [epoch, trainLoss, valLoss, percent(valTop1), percent(valTop5), lr].map(formatNumber).join(','),
  );
  return [HEADER, ...rows].map((line) => `${line}\r\n`).join('');
}

/** Rounded to 12 digits: 0.07 · 100 is 7.000000000000001 in doubles, and nobody measured the last digit. */
function percent(fraction: number | null): number | null {
  return fraction === null ? null : Number((fraction * 100).toPrecision(12));
}

/** As timm writes numbers: `nan`, `inf`, else the shortest decimal that reads back; empty for null. */
export function formatNumber(value: number | null): string {
  if (value === null) return '';
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return String(value);
}
