/**
 * One file with every number that Compare shows and the series behind it: a zip of `comparison.json` (groups, runs, differences, as
 * `prelora compare --json` prints them) and comma-separated tables. Dots for decimals, full precision.
 */
import { strToU8, zipSync } from 'fflate';
import { COMPARED_FIGURES, type Comparison } from '../../main/protocol/comparison.ts';
import type { RunState } from '../../main/protocol/results.ts';

type Cell = string | number | null | undefined;

/** The zip's bytes. `states` are the runs of the comparison, with their records. */
export function comparisonZip(comparison: Comparison, states: readonly RunState[]): Uint8Array {
  const files: Record<string, string> = {
    'comparison.json': `${JSON.stringify(comparison, null, 2)}\n`,
    'groups.csv': groupsCsv(comparison),
    'runs.csv': csv(
      ['run', 'name', 'seed', 'status', 'steps', ...COMPARED_FIGURES],
      comparison.runs.map((run) => [
        run.runDir,
        run.name,
        run.seed,
        run.status,
        run.steps,
        ...COMPARED_FIGURES.map((figure) => run.figures[figure]),
      ]),
    ),
    'differences.csv': csv(
      ['field', ...comparison.runs.map(({ name }) => name)],
      Object.entries(comparison.differences).map(([field, values]) => [field, ...values.map((value) => JSON.stringify(value))]),
    ),
    'epochs.csv': recordsCsv(states, 'epochs', [
      'epoch',
      'step',
      'phase',
      'trainLoss',
      'trainTop1',
      'valLoss',
      'valTop1',
      'valTop5',
      'lr',
      'seconds',
      'imagesPerSecond',
      'peakMemoryBytes',
    ]),
    'metrics.csv': recordsCsv(states, 'metrics', [
      'step',
      'epoch',
      'phase',
      'loss',
      'lr',
      'gradNorm',
      'imagesPerSecond',
      'stepMs',
      'dataWaitMs',
      'memoryBytes',
    ]),
  };
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
}

/** A line per group and figure, with the difference to the first group. */
function groupsCsv({ groups, runs }: Comparison): string {
  const lines = groups.flatMap(({ label, members, figures, againstFirst }) =>
    COMPARED_FIGURES.map((figure): Cell[] => {
      const spread = figures[figure];
      const difference = againstFirst?.figures[figure];
      const names = members.map((place) => runs[place]?.name).join('; ');
      const within = difference?.isWithinSpread == null ? null : String(difference.isWithinSpread);
      return [label, names, figure, spread?.mean, spread?.std, spread?.n, difference?.mean, difference?.std, difference?.n, within];
    }),
  );
  return csv(['group', 'runs', 'figure', 'mean', 'std', 'n', 'differenceToFirst', 'differenceStd', 'differenceN', 'isWithinSpread'], lines);
}

function recordsCsv<K extends 'epochs' | 'metrics'>(
  states: readonly RunState[],
  kind: K,
  columns: (keyof RunState[K][number] & string)[],
): string {
  const lines = states.flatMap(({ summary, [kind]: records }) =>
    (records as Record<string, Cell>[]).map((record) => [
      summary.status.name,
      summary.config.train.seed,
      ...columns.map((column) => record[column]),
    ]),
  );
  return csv(['run', 'seed', ...columns], lines);
}

export function csv(header: readonly string[], lines: readonly (readonly Cell[])[]): string {
  const quote = (cell: Cell): string => {
    const text = String(cell ?? '');
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[header, ...lines].map((line) => line.map(quote).join(',')).join('\n')}\n`;
}
