/** The rows of figures in Compare: a run's value, or a group's mean ± standard deviation with its n and its difference to the first group. */
import type { ComparedFigure, Comparison, Difference } from '../../../main/protocol/comparison.ts';
import {
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatPoints,
  formatRate,
  formatSpread,
} from '../../format.ts';

export interface FigureRow {
  figure: ComparedFigure;
  title: string;
  help: string;
  format: (value: number | null) => string;
  /** How a difference is said; its sign is part of it. */
  formatDifference: (value: number) => string;
}

const signed =
  (format: (value: number) => string) =>
  (value: number): string =>
    `${value < 0 ? '−' : '+'}${format(Math.abs(value))}`;

function row(
  figure: ComparedFigure,
  title: string,
  help: string,
  format: FigureRow['format'],
  formatDifference = signed(format),
): FigureRow {
  return { figure, title, help, format, formatDifference };
}

const accuracy = (figure: ComparedFigure, title: string, help: string): FigureRow => row(figure, title, help, formatAccuracy, formatPoints);

export const FIGURE_ROWS: readonly FigureRow[] = [
  accuracy('bestValTop1', 'best val top-1', 'the best evaluation of each run'),
  accuracy('lastValTop1', 'last val top-1', 'the last evaluation of each run'),
  accuracy('valTop1AtStep', 'val top-1 at step', 'the last evaluation up to that step'),
  accuracy('valTop1AtEqualStep', 'val top-1 at equal step', 'the last evaluation up to the last step of the shortest run'),
  accuracy('valTop1AtEqualTime', 'val top-1 at equal time', 'the last evaluation within the training time of the quickest run'),
  row('seconds', 'train time', 'training alone, evaluation left out', formatDuration),
  row(
    'trainableShare',
    'trainable at the end',
    "percent of the model's parameters without adapters",
    (value) => formatPercent(value),
    (value) => formatPoints(value / 100),
  ),
  row('switchStep', 'switch step', 'when adapters were attached', formatCount),
  row('fullImagesPerSecond', 'Full img/s', 'median of the phase', formatRate),
  row('loraImagesPerSecond', 'LoRA img/s', 'median of the phase', formatRate),
  row('fullPeakMemoryBytes', 'Full peak memory', "the phase's own peak", formatBytes),
  row('loraPeakMemoryBytes', 'LoRA peak memory', "the phase's own peak", formatBytes),
];

export interface FigureCell {
  text: string;
  /** The difference to the first group, and whether the spread swallows it. */
  note: string;
}

/** The cell of one run, or of one group, by its place. */
export function figureCell(
  comparison: Comparison | null,
  { grouped, place }: { grouped: boolean; place: number },
  { figure, format, formatDifference }: FigureRow,
): FigureCell {
  if (!grouped) {
    const run = comparison?.runs[place];
    const at = figure === 'bestValTop1' && run?.best ? ` @ ${run.best.epoch}` : '';
    return { text: `${format(run?.figures[figure] ?? null)}${at}`, note: '' };
  }
  const group = comparison?.groups[place];
  const spread = group?.figures[figure];
  if (!spread) return { text: format(null), note: '' };
  const difference = group?.againstFirst?.figures[figure] ?? null;
  return { text: formatSpread(spread, format), note: difference ? differenceWords(difference, formatDifference) : '' };
}

function differenceWords({ mean, isWithinSpread }: Difference, format: (value: number) => string): string {
  if (mean === 0) return 'equal to the first';
  const judged = isWithinSpread === null ? 'no spread known' : isWithinSpread ? 'within the spread' : 'more than the spread';
  return `${format(mean)}, ${judged}`;
}
