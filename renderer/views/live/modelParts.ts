/** What the models of several Live charts have in common: axis, events and phases, a metric raw and smoothed, the learning rate. */
import type { LineModel, LineSeries, Marker } from '../../charts/model.ts';
import { formatLr } from '../../format.ts';
import { eventWords, markerLetter } from '../../journal.ts';
import type { MetricName } from '../../state/metricTable.ts';
import { formatX, type LiveSource, xOfStep } from './source.ts';

/** The journal's events that have a flag, in x units. */
export function markersOf(source: LiveSource): Marker[] {
  return source.records.events.flatMap((event) => {
    const letter = markerLetter(event.kind);
    return letter === null ? [] : [{ x: xOfStep(source, event.step), step: event.step, letter, label: eventWords(event) }];
  });
}

/** The part of a model that tells where and when: x axis, event flags and phases, without thresholds. */
export function frameOf(source: LiveSource): Pick<LineModel, 'xLabel' | 'xRange' | 'formatX' | 'markers' | 'phases' | 'thresholds'> {
  const { axis, range, phaseSpans } = source;
  return {
    xLabel: axis,
    xRange: range,
    formatX: formatX(axis),
    markers: markersOf(source),
    phases: phaseSpans.map(({ phase, from, to }) => ({ phase, from: xOfStep(source, from), to: xOfStep(source, to) })),
    thresholds: [],
  };
}

/** x of every metrics row on the chosen axis. */
export function metricXs({ records: { metrics }, axis }: LiveSource): Float64Array {
  return axis === 'step' ? metrics.step : axis === 'epoch' ? metrics.epoch : metrics.seconds;
}

/** A metric as it was recorded, faint, and a strong smoothed curve of it; alone when nothing is smoothed. */
export function rawAndSmooth(source: LiveSource, name: MetricName, look: Omit<LineSeries, 'data'>): LineSeries[] {
  const xs = metricXs(source);
  const raw: LineSeries = { ...look, data: { xs, ys: source.records.metrics[name] } };
  if (source.smoothing <= 0) return [raw];
  return [
    { ...raw, key: `${look.key}-raw`, raw: true, unlabelled: true },
    { ...look, data: { xs, ys: source.records.smoothed(name, source.smoothing) } },
  ];
}

/** The learning rate beneath other curves, on a scale of its own. */
export function lrSeries(source: LiveSource): LineSeries {
  return {
    key: 'lr',
    label: 'LR',
    colour: 'fg-3',
    dash: [3, 2],
    ownScale: true,
    data: { xs: metricXs(source), ys: source.records.metrics.lr },
    format: formatLr,
  };
}
