/** The throughput panel: images per second, memory, and how much of a step waits for data. */
import type { LineModel, LineSeries } from '../../charts/model.ts';
import { formatBytes, formatCount, formatMs, formatPercent, formatRate } from '../../format.ts';
import { frameOf, metricXs, rawAndSmooth } from './modelParts.ts';
import type { LiveSource } from './source.ts';

const GIB = 2 ** 30;

/** `peak` is the largest memory of the phase in progress, bytes. */
export function throughputModel(source: LiveSource, peak: number | null): LineModel {
  const { records } = source;
  const xs = metricXs(source);
  const speed = { key: 'speed', label: 'img/s', colour: 'accent', format: formatRate } as const;
  const memory: LineSeries = {
    key: 'memory',
    label: 'memory',
    colour: 'proj',
    dash: [6, 3],
    right: true,
    // In GiB, so that the axis has round ticks.
    data: { xs, ys: records.metrics.memoryBytes.map((bytes) => bytes / GIB) },
    format: (value) => formatBytes(value * GIB),
  };
  return {
    ...frameOf(source),
    logY: false,
    yLabel: `images/s · waiting for data ${formatPercent((100 * (records.metrics.dataWaitMs.at(-1) ?? Number.NaN)) / (records.metrics.stepMs.at(-1) ?? Number.NaN), 0)} of the step`,
    rightLabel: `memory, GiB${peak === null ? '' : ` · peak ${(peak / GIB).toFixed(2)}`}`,
    series: [...rawAndSmooth(source, 'imagesPerSecond', speed), memory],
    formatTick: formatCount,
    formatRightTick: (value) => value.toFixed(2),
    summary: `${formatRate(records.metrics.imagesPerSecond.at(-1))}, ${formatMs(records.metrics.stepMs.at(-1))} per step, ${formatBytes(records.metrics.memoryBytes.at(-1))} in use.`,
  };
}
