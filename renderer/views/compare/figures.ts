/** The rows of figures in Compare: a run's value, or a group's mean ± standard deviation with its n and its difference to the first group. */
import type { ComparedFigure, Comparison, Difference, Spread } from '../../../main/protocol/comparison.ts';
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
  /** In its own unit, or in that of another value. */
  format: (value: number | null, like?: number) => string;
  /** How a difference is said, in the decimals of the figure it belongs to; its sign is part of it. */
  formatDifference: (value: number, like?: number) => string;
}

const signed =
  (format: FigureRow['format']) =>
  (value: number, like?: number): string =>
    `${value < 0 ? '−' : '+'}${format(Math.abs(value), like)}`;

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
  row('fullImagesPerSecond', 'speed, Full', 'median of the phase', formatRate),
  row('loraImagesPerSecond', 'speed, LoRA', 'median of the phase', formatRate),
  row('fullPeakMemoryBytes', 'peak memory, Full', "the phase's own peak", formatBytes),
  row('loraPeakMemoryBytes', 'peak memory, LoRA', "the phase's own peak", formatBytes),
];

const NO_SPREAD = 'no spread known';

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
    const at = figure === 'bestValTop1' && run?.best ? ` @ epoch ${run.best.epoch}` : '';
    return { text: `${format(run?.figures[figure] ?? null)}${at}`, note: '' };
  }
  const group = comparison?.groups[place];
  const spread = group?.figures[figure];
  if (!spread) return { text: format(null), note: '' };
  const difference = group?.againstFirst?.figures[figure] ?? null;
  return { text: formatSpread(spread, format), note: noteOf(difference, spread, formatDifference) };
}

/** The difference to the first group and what the spread makes of it; of a single seed that none is known, also in the first group. */
function noteOf(difference: Difference | null, spread: Spread, format: FigureRow['formatDifference']): string {
  if (!difference) return spread.std === null ? NO_SPREAD : '';
  const { mean, isWithinSpread } = difference;
  const said = mean === 0 ? 'equal' : format(mean, spread.mean);
  if (isWithinSpread === null) return `${said}, ${NO_SPREAD}`;
  return mean === 0 ? 'equal to the first' : `${said}, ${isWithinSpread ? 'within the spread' : 'more than the spread'}`;
}
