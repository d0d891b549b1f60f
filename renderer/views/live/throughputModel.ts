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
  const onGpu: LineSeries = {
    ...memory,
    key: 'gpu-memory',
    label: 'GPU memory',
    colour: 'fc1',
    dash: [2, 2],
    data: { xs, ys: records.metrics.gpuMemoryBytes.map((bytes) => bytes / GIB) },
  };
  const hasGpu = hasValue(records.metrics.gpuMemoryBytes);
  return {
    ...frameOf(source),
    logY: false,
    yLabel: `images/s · ${waitWords(source)}${useWords(source)}`,
    rightLabel: `memory, GiB${peak === null ? '' : ` · peak ${(peak / GIB).toFixed(2)}`}`,
    series: [...rawAndSmooth(source, 'imagesPerSecond', speed), memory, ...(hasGpu ? [onGpu] : [])],
    formatTick: formatCount,
    formatRightTick: (value) => value.toFixed(2),
    summary: `${formatRate(records.metrics.imagesPerSecond.at(-1))}, ${formatMs(records.metrics.stepMs.at(-1))} per step, ${formatBytes(records.metrics.memoryBytes.at(-1))} in use${hasGpu ? `, ${formatBytes(records.metrics.gpuMemoryBytes.at(-1))} on the GPU` : ''}.`,
  };
}

/** Whether the newest line has it. */
export function hasValue(column: Float64Array): boolean {
  return !Number.isNaN(column.at(-1) ?? Number.NaN);
}

function waitWords({ records: { metrics } }: LiveSource): string {
  const share = (100 * (metrics.dataWaitMs.at(-1) ?? Number.NaN)) / (metrics.stepMs.at(-1) ?? Number.NaN);
  return hasValue(metrics.gpuUse) ? `data wait ${formatPercent(share, 0)}` : `waiting for data ${formatPercent(share, 0)} of the step`;
}

/** How busy the GPU was in the second before, where its driver tells. */
function useWords({ records: { metrics } }: LiveSource): string {
  return hasValue(metrics.gpuUse) ? ` · GPU ${formatPercent(100 * (metrics.gpuUse.at(-1) ?? Number.NaN), 0)}` : '';
}
