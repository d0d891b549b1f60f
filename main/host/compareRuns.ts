/**
 * Runs side by side: what differed in their settings, and what it did. Best values carry their epoch; memory and speed are compared phase by
 * phase, each with its own peak (product.md section 3, honest numbers).
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { PhaseSummary } from '../protocol/requests.ts';
import type { Phase, StatusFile } from '../protocol/run.ts';
import { readConfig, readRanks, readRecords, readStatus } from '../store/runFolder.ts';
import { currentConfig } from './currentConfig.ts';

export interface ComparedRun {
  runDir: string;
  name: string;
  status: string;
  steps: number;
  switchStep: number | null;
  freezeStep: number | null;
  final: { trainLoss: number | null; valLoss: number | null; valTop1: number | null };
  best: { epoch: number; valTop1: number } | null;
  /** Training time alone, evaluation left out. */
  seconds: number;
  /** Percent of the model's parameters that train at the end: 100 without a freeze. */
  trainableShare: number;
  phases: Partial<Record<Phase, Pick<PhaseSummary, 'imagesPerSecond' | 'stepMsMedian' | 'peakMemoryBytes' | 'trainableParameters'>>>;
  backend: string;
  seed: number;
}

export interface Comparison {
  runs: ComparedRun[];
  /** Config path → one value per run, only where they differ. */
  differences: Record<string, unknown[]>;
}

/** Throws `not-found` or `run-damaged`, naming the folder. */
export async function compareRuns(dirs: readonly string[]): Promise<Comparison> {
  const read = await Promise.all(dirs.map(readComparedRun));
  return { runs: read.map(({ run }) => run), differences: configDifferences(read.map(({ config }) => config)) };
}

/** One run's figures, and its config with all edits. */
export async function readComparedRun(runDir: string): Promise<{ run: ComparedRun; config: ResolvedConfig }> {
  const config = currentConfig(await readConfig(runDir), await readRecords(runDir, 'events'));
  const status = await readStatus(runDir);
  const epochs = await readRecords(runDir, 'epochs');
  const last = epochs.at(-1);
  const scored = epochs.filter(({ valTop1 }) => valTop1 !== null);
  const best = scored.reduce<(typeof scored)[number] | null>(
    (top, epoch) => (top && (top.valTop1 ?? 0) >= (epoch.valTop1 ?? 0) ? top : epoch),
    null,
  );
  const run: ComparedRun = {
    runDir,
    name: config.name,
    status: status?.status ?? 'created',
    steps: status?.step ?? 0,
    switchStep: status?.switchStep ?? null,
    freezeStep: status?.freezeStep ?? null,
    final: { trainLoss: last?.trainLoss ?? null, valLoss: last?.valLoss ?? null, valTop1: last?.valTop1 ?? null },
    best: best && { epoch: best.epoch, valTop1: best.valTop1 as number },
    seconds: epochs.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0),
    trainableShare: status?.freezeStep == null ? 100 : ((await readRanks(runDir))?.share ?? 100),
    phases: phasesOf(status),
    backend: status?.backend.name ?? '–',
    seed: config.train.seed,
  };
  return { run, config };
}

function phasesOf(status: StatusFile | null): ComparedRun['phases'] {
  const phases = (status?.phases ?? []) as PhaseSummary[];
  return Object.fromEntries(
    phases.map(({ phase, imagesPerSecond, stepMsMedian, peakMemoryBytes, trainableParameters }) => [
      phase,
      { imagesPerSecond, stepMsMedian, peakMemoryBytes, trainableParameters },
    ]),
  );
}

function configDifferences(configs: readonly ResolvedConfig[]): Record<string, unknown[]> {
  const flat = configs.map((config) => new Map(flatten(config)));
  const paths = new Set(flat.flatMap((fields) => [...fields.keys()]));
  paths.delete('name');
  const differing = [...paths].filter((path) => new Set(flat.map((fields) => JSON.stringify(fields.get(path)))).size > 1);
  return Object.fromEntries(differing.map((path) => [path, flat.map((fields) => fields.get(path) ?? null)]));
}

function flatten(config: object): [string, unknown][] {
  return Object.entries(config).flatMap(([section, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([field, inner]) => [`${section}.${field}`, inner] as [string, unknown])
      : [[section, value] as [string, unknown]],
  );
}
