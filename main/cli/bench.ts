/**
 * `prelora bench`: measures this machine with the real training step, against PyTorch where a Python with torch is named, and writes the
 * raw samples to a file. Figures and goals are those of benchmarks.md; host/bench does the measuring.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { median } from '../core/statistics.ts';
import { ensureEngine } from '../engine/ensure.ts';
import { progressPrinter } from '../engine/progressLines.ts';
import { CASES, casesNamed } from '../host/bench/cases.ts';
import type { Figure } from '../host/bench/goals.ts';
import type { CaseResult } from '../host/bench/measureCase.ts';
import { BENCH_PARTS, type BenchPart, type BenchResult, runBench } from '../host/bench/runBench.ts';
import { FEWEST_SAMPLES, type Measured } from '../host/bench/turns.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';
import { readArguments, readNumber } from './arguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';

export const BENCH_USAGE =
  'prelora bench [--peer PYTHON] [--cases ti65,s65,…] [--parts cases,monitoring,eager,wasm,scaling] [--samples N] [--threads N] [--out FILE] [--json]';

/** All parts but wasm, which is slow, unless others are named. */
const DEFAULT_PARTS: readonly BenchPart[] = ['cases', 'monitoring', 'eager', 'scaling'];

export async function benchCommand(args: string[], io: CommandIo): Promise<number> {
  const text = { type: 'string' } as const;
  const options = { peer: text, cases: text, parts: text, samples: text, threads: text, out: text, json: { type: 'boolean' } } as const;
  const { values } = readArguments(args, options, BENCH_USAGE, [0, 0]);
  const cases = casesNamed(values.cases?.split(',') ?? null);
  const parts = partsNamed(values.parts);
  const samples = positiveInteger('samples', values.samples) ?? FEWEST_SAMPLES;
  const threads = positiveInteger('threads', values.threads) ?? os.availableParallelism();
  const { engine } = await ensureEngine({ onProgress: progressPrinter(io.stderr), signal: io.signal });
  if (!engine) throw new PreloraError('engine-unavailable', 'bench measures the native engine; run `prelora engine install`');
  const say = (message: string): void => void io.stderr.write(`${message}\n`);
  if (samples < FEWEST_SAMPLES) say(`${samples} samples: too few to quote; ${FEWEST_SAMPLES} is the least`);
  const result = await runBench({ cases, parts, samples, threads, python: values.peer ?? null, say, signal: io.signal });
  const file = values.out ?? path.join('benchmarks', `${fileStamp(new Date(result.date))}.json`);
  writeResult(file, result);
  if (values.json) {
    say(describeResult(result));
    printJson(io, result);
  } else io.stdout.write(`${describeResult(result)}\n`);
  say(`raw samples: ${file}`);
  return 0;
}

function partsNamed(text: string | undefined): readonly BenchPart[] {
  if (text === undefined) return DEFAULT_PARTS;
  return text.split(',').map((name) => {
    const part = BENCH_PARTS.find((known) => known === name);
    if (part) return part;
    throw new PreloraError('bad-arguments', `--parts ${name}: must be among ${BENCH_PARTS.join(', ')}`, 'parts');
  });
}

function positiveInteger(option: string, text: string | undefined): number | undefined {
  const value = readNumber(option, text);
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return value;
  throw new PreloraError('bad-arguments', `--${option} ${text}: must be a whole number from 1`, option);
}

/** `2026-11-23-2133`, in local time. */
function fileStamp(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}`;
}

function writeResult(file: string, result: BenchResult): void {
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  } catch (error) {
    throw new PreloraError('not-writable', `--out ${file}: ${(error as Error).message}`, 'out');
  }
}

/** The tables a person reads. */
export function describeResult(result: BenchResult): string {
  const { machine, cases, eager, monitoring, wasm, scaling, figures } = result;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const parts = [`${machine.cpu}, ${machine.cores} cores, load ${machine.load.toFixed(1)}; ${versions.join(', ')}`];
  if (cases.length > 0)
    parts.push(sidesTable(cases.flatMap(({ name, batch, sides, predictedBytes }) => sideRows(sides, `${name} `, batch, predictedBytes))));
  const tiny = CASES[0]?.batch ?? 1;
  for (const sides of [monitoring, eager, wasm]) if (sides) parts.push(sidesTable(sideRows(sides, 'ti65 ', tiny)));
  if (scaling) parts.push(scalingTable(scaling));
  if (figures.length > 0) parts.push(figuresTable(figures));
  return parts.join('\n\n');
}

function sidesTable(rows: string[][]): string {
  return formatTable(['side', 'img/s', 'step', 'peak', 'predicted'], rows);
}

function sideRows(
  sides: Record<string, Measured>,
  prefix: string,
  batch: number,
  predicted: CaseResult['predictedBytes'] = {},
): string[][] {
  return Object.entries(sides).map(([name, { ms, peakBytes }]) => {
    const step = median(ms);
    const [own, phase] = name.split('/');
    const estimate = own === 'own' ? predicted[phase as Phase] : undefined;
    const speed = ((1000 * batch) / step).toPrecision(3);
    return [`${prefix}${name}`, speed, `${step.toFixed(0)} ms`, mebibytes(peakBytes), estimate ? mebibytes(estimate) : ''];
  });
}

function scalingTable({ rows, exponents }: NonNullable<BenchResult['scaling']>): string {
  const table = rows.map(({ name, measured }) => [name, `${median(measured.ms).toFixed(0)} ms`, mebibytes(measured.peakBytes)]);
  const fits = Object.entries(exponents).map(([axis, { time, memory }]) => [axis, time.toFixed(2), memory.toFixed(2)]);
  return `${formatTable(['growth', 'step', 'peak'], table)}\n\n${formatTable(['exponent of', 'time', 'memory above the bare process'], fits)}`;
}

function figuresTable(figures: readonly Figure[]): string {
  const number = (value: number | null): string => (value === null ? '–' : value.toPrecision(3));
  const rows = figures.map(({ goal, what, case: name, value, spread, must, aim, reached }) => {
    const range = spread ? `${number(spread[0])}–${number(spread[1])}` : '';
    return [goal, what, name, number(value), range, number(must), number(aim), reached ?? ''];
  });
  return formatTable(['goal', 'figure', 'case', 'value', 'middle half', 'must', 'aim', 'reached'], rows);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
