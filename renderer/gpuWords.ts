/** What the GPU's driver tells, in a line: `GPU 87 % · 5.31 of 8.00 GiB`; what it does not tell is left out. */
import type { GpuReading } from '../main/protocol/run.ts';
import { formatBytes, formatPercent, withoutUnit } from './format.ts';

export function gpuWords({ use, usedBytes, totalBytes }: GpuReading): string {
  const share = use === null ? '' : ` ${formatPercent(100 * use, 0)}`;
  if (usedBytes === null) return `GPU${share}`;
  const memory =
    totalBytes === null ? formatBytes(usedBytes) : `${withoutUnit(formatBytes(usedBytes, totalBytes))} of ${formatBytes(totalBytes)}`;
  return `GPU${share} · ${memory}`;
}
