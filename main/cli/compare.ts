/** `prelora compare`: runs side by side, with only the settings that differ. */
import path from 'node:path';
import { compareRuns } from '../host/compareRuns.ts';
import type { ComparedFigure, ComparedGroup, ComparedRun, Comparison, Difference, Spread } from '../protocol/comparison.ts';
import { readArguments, readNumber } from './arguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';
import { duration } from './progress.ts';

export const COMPARE_USAGE = 'prelora compare RUN RUN … [--at-step N] [--json]';

export async function compareCommand(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = readArguments(
    args,
    { json: { type: 'boolean' }, 'at-step': { type: 'string' } } as const,
    COMPARE_USAGE,
    [2, 1000],
  );
  const comparison = await compareRuns(positionals, readNumber('at-step', values['at-step']) ?? null);
  if (values.json) {
    printJson(io, comparison);
    return 0;
  }
  const header = ['run', 'status', 'switch', 'val top-1', 'best', 'epoch', 'time', 'full', 'lora', 'full peak', 'lora peak'];
  io.stdout.write(`${formatTable(header, comparison.runs.map(rowOf))}\n`);
  if (comparison.groups.some(({ members }) => members.length > 1)) {
    io.stdout.write(`\n${describeGroups(comparison)}\n`);
    return 0;
  }
  const differing = Object.entries(comparison.differences).map(([field, seen]) => [field, ...seen.map((value) => JSON.stringify(value))]);
  const names = comparison.runs.map(({ runDir }) => path.basename(runDir));
  if (differing.length > 0) io.stdout.write(`\n${formatTable(['differs', ...names], differing)}\n`);
  return 0;
}

/** Groups over random seeds: mean ± spread, the difference to the first group, and the settings in which groups differ. */
function describeGroups({ groups, groupDifferences }: Comparison): string {
  const header = ['all but random seed', 'n', 'best val top-1', 'last val top-1', 'at equal time', 'trainable', 'time'];
  const lines = [formatTable(header, groups.map(groupRow)), ''];
  for (const { label, againstFirst } of groups) {
    if (!againstFirst) continue;
    const difference = againstFirst.figures.bestValTop1;
    const how = againstFirst.isPaired ? 'paired by seed' : 'as independent groups';
    lines.push(`${label} − ${groups[0]?.label}, best val top-1, ${how}: ${difference ? differenceWords(difference) : '–'}`);
  }
  const differing = Object.entries(groupDifferences).map(([field, seen]) => [field, ...seen.map((value) => JSON.stringify(value))]);
  if (differing.length > 0) lines.push('', formatTable(['differs', ...groups.map(({ label }) => label)], differing));
  return lines.join('\n');
}

function groupRow({ label, members, figures }: ComparedGroup): string[] {
  const percent = (figure: ComparedFigure): string => percentSpread(figures[figure]);
  const { trainableShare, seconds } = figures;
  return [
    label,
    String(members.length),
    percent('bestValTop1'),
    percent('lastValTop1'),
    percent('valTop1AtEqualTime'),
    trainableShare ? `${trainableShare.mean.toFixed(2)} %` : '–',
    seconds ? duration(seconds.mean) : '–',
  ];
}

/** An accuracy over runs: `88.40 ± 0.21 %`. */
export function percentSpread(spread: Spread | null): string {
  if (!spread) return '–';
  return `${(100 * spread.mean).toFixed(2)}${spread.std === null ? '' : ` ± ${(100 * spread.std).toFixed(2)}`} %`;
}

/** A difference of accuracies in points, and whether the spread swallows it. */
export function differenceWords({ mean, std, n, isWithinSpread }: Difference): string {
  const size = `${mean < 0 ? '−' : '+'}${(100 * Math.abs(mean)).toFixed(2)}`;
  if (std === null) return `${size} points (n = 1, no spread)`;
  return `${size} ± ${(100 * std).toFixed(2)} points (n = ${n}${isWithinSpread ? ', within the spread' : ''})`;
}

function rowOf({ runDir, status, switchStep, final, best, seconds, phases }: ComparedRun): string[] {
  const percent = (value: number | null | undefined): string => (value == null ? '–' : `${(100 * value).toFixed(2)} %`);
  const speed = (value: number | null | undefined): string => (value == null ? '–' : `${value.toFixed(0)} img/s`);
  const memory = (value: number | null | undefined): string => (value == null ? '–' : `${(value / 2 ** 20).toFixed(0)} MiB`);
  return [
    path.basename(runDir),
    status,
    switchStep === null ? '–' : String(switchStep),
    percent(final.valTop1),
    percent(best?.valTop1),
    best ? String(best.epoch) : '–',
    duration(seconds),
    speed(phases.full?.imagesPerSecond),
    speed(phases.lora?.imagesPerSecond),
    memory(phases.full?.peakMemoryBytes),
    memory(phases.lora?.peakMemoryBytes),
  ];
}
