/** What the switch is decided by: change per family against τ and of the loss against ζ, as charts and in words. */
import type { LineModel, LineSeries, Threshold } from '../../charts/model.ts';
import { lowerBound } from '../../charts/series.ts';
import { FAMILY_DASH } from '../../charts/theme.ts';
import { formatChange, formatCount, formatPercent, unbroken } from '../../format.ts';
import type { Thresholds } from '../../state/thresholdDraft.svelte.ts';
import { shownChanges } from './changes.ts';
import { frameOf, lrSeries } from './modelParts.ts';
import { type LiveSource, xsOfSteps } from './source.ts';

export interface ThresholdHooks {
  /** Thresholds being tried. */
  draft: Thresholds;
  /** Called while a threshold is dragged or moved by keys; null where none can be tried. */
  setDraft: ((change: Partial<Thresholds>) => void) | null;
}

/** Mean change per family and interval, percent, against τ; with `showsLr` the learning rate beneath. */
export function changeModel(source: LiveSource, { draft, setDraft, showsLr = false }: ThresholdHooks & { showsLr?: boolean }): LineModel {
  const changes = shownChanges(source);
  const { tau } = source.config.prelora;
  const limit = draft.tau ?? tau;
  const xs = xsOfSteps(source, changes.steps);
  const series = [...changes.families].map(
    ([family, ys]): LineSeries => ({
      key: family,
      label: family,
      colour: family,
      dash: FAMILY_DASH[family],
      data: { xs, ys },
      format: (value) => formatChange(value, limit),
    }),
  );
  if (showsLr) series.push(lrSeries(source));
  return {
    ...frameOf(source),
    logY: source.logChange,
    yLabel: `mean change per interval, %${calmNote(source)}`,
    series,
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'τ weight threshold', value: tau, draft: draft.tau, onDraft: setDraft && ((value) => setDraft({ tau: value })) }),
    ],
    verdicts: { xs, ok: (i) => changes.verdicts[i]?.weightsOk ?? null },
    summary: changeSummary(source, limit),
  };
}

/** What takes from the curves' calm: the schedule's share of it, and that nothing is tested after the switch. */
function calmNote(source: LiveSource): string {
  if (source.status.phase !== 'full') return ' · not tested after the switch';
  const fall = lrFall(source, source.config.prelora.windowSize);
  return fall !== null && fall > 0.1 ? ` · LR fell ${formatPercent(fall * 100, 0)} here: part of the calm` : '';
}

function threshold({ label, value, draft, onDraft }: Pick<Threshold, 'label' | 'value' | 'draft' | 'onDraft'>): Threshold {
  return { label, value, draft, min: 0.01, max: 100, step: 0.01, format: formatChange, onDraft };
}

/** "5 of 6 families below τ 0.80 %; the highest is fc1 with 0.93 %." */
export function changeSummary({ replay }: Pick<LiveSource, 'replay'>, tau: number): string {
  const last = replay?.windows.at(-1);
  if (!last) return 'No comparison yet: two snapshots are needed.';
  const entries = Object.entries(last.families);
  const below = entries.filter(([, change]) => change < tau).length;
  const [family, change] = entries.reduce((top, one) => (one[1] > top[1] ? one : top));
  const where = `${below} of ${entries.length} families below τ ${formatChange(tau)} at step ${formatCount(last.step)}`;
  return unbroken(`${where}; the highest is ${family} with ${formatChange(change, tau)}.`);
}

/** The newest verdict in words; empty once nothing is tested any more. */
export function verdictWords(source: LiveSource): string {
  const { config, records, replay, status } = source;
  if (status.phase !== 'full') return '';
  const { tau, zeta, windowSize } = config.prelora;
  const last = replay?.windows.at(-1);
  if (!last) {
    const count = records.snapshots.length;
    return unbroken(`The first test needs ${windowSize} snapshots; so far there ${count === 1 ? 'is 1' : `are ${count}`}.`);
  }
  const loss = `Loss change ${formatChange(last.lossChange, zeta)} ${last.lossChange <= zeta ? '≤' : '>'} ζ ${formatChange(zeta)}`;
  return unbroken(`Test: ${changeSummary(source, tau)} ${loss}.`);
}

/** Change of the mean training loss per interval, percent, against ζ. */
export function lossChangeModel(source: LiveSource, { draft, setDraft }: ThresholdHooks): LineModel {
  const changes = shownChanges(source);
  const xs = xsOfSteps(source, changes.steps);
  const { zeta } = source.config.prelora;
  const limit = draft.zeta ?? zeta;
  const last = changes.lossChange.at(-1);
  return {
    ...frameOf(source),
    logY: source.logChange,
    yLabel: 'change of the mean training loss, %',
    series: [
      {
        key: 'loss-change',
        label: 'loss',
        colour: 'accent',
        data: { xs, ys: changes.lossChange },
        format: (value) => formatChange(value, limit),
      },
    ],
    formatTick: (value) => String(Number(value.toPrecision(2))),
    thresholds: [
      threshold({ label: 'ζ loss threshold', value: zeta, draft: draft.zeta, onDraft: setDraft && ((value) => setDraft({ zeta: value })) }),
    ],
    verdicts: { xs, ok: (i) => changes.verdicts[i]?.lossOk ?? null },
    summary:
      last === undefined
        ? 'No comparison yet.'
        : `Loss change ${formatChange(last, limit)} at step ${formatCount(changes.steps.at(-1))}, threshold ζ ${formatChange(limit)}.`,
  };
}

/** Share by which the learning rate fell over the last test window, 0…1; null when it cannot be told. */
function lrFall({ records: { metrics, snapshots } }: Pick<LiveSource, 'records'>, windowSize: number): number | null {
  const from = snapshots.at(-windowSize)?.step;
  const to = snapshots.at(-1)?.step;
  if (from === undefined || to === undefined) return null;
  const before = metrics.lr[lowerBound(metrics.step, from)];
  const after = metrics.lr[Math.min(lowerBound(metrics.step, to), metrics.lr.length - 1)];
  return before !== undefined && after !== undefined && before > 0 ? 1 - after / before : null;
}
