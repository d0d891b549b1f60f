/** The numbers behind the Live charts as tables: the same data, whole, to read and to copy. */
import type { TableCell, TableModel } from '../../components/tableModel.ts';
import {
  formatAccuracy,
  formatBytes,
  formatChange,
  formatCount,
  formatLoss,
  formatLr,
  formatMs,
  formatPercent,
  formatRate,
  plain,
  withoutUnit,
} from '../../format.ts';
import { FAMILIES } from '../../modules.ts';
import { shownChanges, type Verdict } from './changes.ts';
import type { LiveSource } from './source.ts';

function cell(value: number | null | undefined, format: (value: number | null | undefined) => string): TableCell {
  return { text: format(value), copy: plain(value) };
}

export function metricsTable({ records: { metrics } }: LiveSource): TableModel {
  const hasGpu = metrics.gpuUse.some((use) => !Number.isNaN(use)) || metrics.gpuMemoryBytes.some((bytes) => !Number.isNaN(bytes));
  return {
    columns: ['step', 'train loss', 'LR', 'images/s', 'ms/step', 'memory', ...(hasGpu ? ['GPU use', 'GPU memory'] : [])],
    count: metrics.step.length,
    row: (i) => [
      cell(metrics.step[i], formatCount),
      cell(metrics.loss[i], formatLoss),
      cell(metrics.lr[i], formatLr),
      cell(metrics.imagesPerSecond[i], formatRate),
      cell(metrics.stepMs[i], formatMs),
      cell(metrics.memoryBytes[i], formatBytes),
      ...(hasGpu ? [cell(percent(metrics.gpuUse[i]), (use) => formatPercent(use, 0)), cell(metrics.gpuMemoryBytes[i], formatBytes)] : []),
    ],
  };
}

function percent(fraction: number | undefined): number | null {
  return fraction === undefined ? null : 100 * fraction;
}

export function epochsTable({ records: { epochs } }: LiveSource): TableModel {
  return {
    columns: ['epoch', 'step', 'train loss', 'val loss', 'val top-1', 'val top-5'],
    count: epochs.length,
    row: (i) => {
      const epoch = epochs[i];
      return [
        cell(epoch?.epoch, formatCount),
        cell(epoch?.step, formatCount),
        cell(epoch?.trainLoss, formatLoss),
        cell(epoch?.valLoss, formatLoss),
        cell(epoch?.valTop1, formatAccuracy),
        cell(epoch?.valTop5, formatAccuracy),
      ];
    },
  };
}

export function windowsTable(source: LiveSource): TableModel {
  const { tau, zeta } = source.config.prelora;
  const { steps, families, lossChange, verdicts } = shownChanges(source);
  return {
    columns: ['step', ...FAMILIES, 'loss', 'verdict'],
    note: 'change in %',
    count: steps.length,
    row: (i) => [
      cell(steps[i], formatCount),
      ...FAMILIES.map((family) => cell(families.get(family)?.[i], (value) => withoutUnit(formatChange(value, tau)))),
      cell(lossChange[i], (value) => withoutUnit(formatChange(value, zeta))),
      verdictCell(verdicts[i]),
    ],
  };
}

/** The loss alone, for its own panel. */
export function lossWindowsTable(source: LiveSource): TableModel {
  const { zeta } = source.config.prelora;
  const { steps, lossChange, verdicts } = shownChanges(source);
  return {
    columns: ['step', 'loss change', 'at most ζ', 'verdict'],
    count: steps.length,
    row: (i) => {
      const verdict = verdicts[i];
      return [
        cell(steps[i], formatCount),
        cell(lossChange[i], (value) => formatChange(value, zeta)),
        cell(zeta, formatChange),
        verdict ? { text: verdict.lossOk ? '✓ holds' : '✗ loss', copy: String(verdict.lossOk) } : { text: 'not tested', copy: '' },
      ];
    },
  };
}

function verdictCell(verdict: Verdict | undefined): TableCell {
  if (!verdict) return { text: 'not tested', copy: '' };
  const { weightsOk, lossOk } = verdict;
  const text = weightsOk && lossOk ? '✓ passes' : `✗ ${weightsOk ? 'loss' : 'weights'}`;
  return { text, copy: String(weightsOk && lossOk) };
}
