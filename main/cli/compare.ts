/** `prelora compare`: runs side by side, with only the settings that differ. */
import path from 'node:path';
import { type ComparedRun, compareRuns } from '../host/compareRuns.ts';
import { readArguments } from './arguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';
import { duration } from './progress.ts';

export const COMPARE_USAGE = 'prelora compare RUN RUN … [--json]';

export async function compareCommand(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = readArguments(args, { json: { type: 'boolean' } } as const, COMPARE_USAGE, [2, 1000]);
  const comparison = await compareRuns(positionals);
  if (values.json) {
    printJson(io, comparison);
    return 0;
  }
  const header = ['run', 'status', 'switch', 'val top-1', 'best', 'epoch', 'time', 'full', 'lora', 'full peak', 'lora peak'];
  io.stdout.write(`${formatTable(header, comparison.runs.map(rowOf))}\n`);
  const differing = Object.entries(comparison.differences).map(([field, seen]) => [field, ...seen.map((value) => JSON.stringify(value))]);
  const names = comparison.runs.map(({ runDir }) => path.basename(runDir));
  if (differing.length > 0) io.stdout.write(`\n${formatTable(['differs', ...names], differing)}\n`);
  return 0;
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
