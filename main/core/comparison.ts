/**
 * Runs side by side: what differed in their settings, and what it did. Best values carry their epoch; memory and speed are compared phase by
 * phase, each with its own peak (product.md section 3, honest numbers). Runs whose settings differ in nothing but the random seed are a group.
 */
import {
  COMPARED_FIGURES,
  type ComparedFigure,
  type ComparedGroup,
  type ComparedRun,
  type Comparison,
  type PhaseFigures,
} from '../protocol/comparison.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { EpochRecord } from '../protocol/records.ts';
import type { Phase, StatusFile } from '../protocol/run.ts';
import { differenceOf, pairedDifference, spreadOf } from './spread.ts';

/** Not settings: what a run is called, and where its config came from. */
const NOT_COMPARED = ['name', 'preset'];
const SEED = 'train.seed';

export interface ReadRun {
  run: ComparedRun;
  config: ResolvedConfig;
  epochs: EpochRecord[];
  /** Its variant, where it belongs to a study. */
  variant: string | null;
}

/** Everything side by side. `atStep` is where valTop1AtStep is read. */
export function compare(read: readonly ReadRun[], atStep: number | null): Comparison {
  const equalStep = Math.min(...read.map(({ epochs }) => epochs.at(-1)?.step ?? 0));
  const equalSeconds = Math.min(...read.map(({ run }) => run.seconds));
  for (const { run, epochs } of read) {
    if (atStep !== null) run.figures.valTop1AtStep = scoreAt(epochs, ({ step }) => step <= atStep);
    run.figures.valTop1AtEqualStep = scoreAt(epochs, ({ step }) => step <= equalStep);
    let seconds = 0;
    run.figures.valTop1AtEqualTime = scoreAt(epochs, (epoch) => {
      seconds += epoch.seconds ?? 0;
      return seconds <= equalSeconds;
    });
  }
  const places = groupPlaces(read);
  return {
    runs: read.map(({ run }) => run),
    groups: groupsOf(read, places),
    differences: configDifferences(read.map(({ config }) => config)),
    groupDifferences: configDifferences(
      places.map(([first]) => (read[first as number] as ReadRun).config),
      [SEED],
    ),
  };
}

/** What a run's files hold that is compared. */
export interface RunContent {
  runDir: string;
  /** With all edits. */
  config: ResolvedConfig;
  status: StatusFile | null;
  epochs: EpochRecord[];
  /** Of ranks.json, percent. */
  share: number | null;
  variant: string | null;
}

/** One run's figures; those that depend on the other runs come with `compare`. */
export function comparedRun({ runDir, config, status, epochs, share, variant }: RunContent): ReadRun {
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
    trainableShare: status?.freezeStep == null ? 100 : (share ?? 100),
    phases: phasesOf(status),
    backend: status?.backend.name ?? '–',
    seed: config.train.seed,
    figures: {} as ComparedRun['figures'],
  };
  run.figures = figuresOf(run, scored.at(-1)?.valTop1 ?? null);
  return { run, config, epochs, variant };
}

function figuresOf({ best, seconds, trainableShare, switchStep, phases }: ComparedRun, lastValTop1: number | null): ComparedRun['figures'] {
  return {
    bestValTop1: best?.valTop1 ?? null,
    lastValTop1,
    valTop1AtStep: null,
    valTop1AtEqualStep: null,
    valTop1AtEqualTime: null,
    seconds,
    trainableShare,
    switchStep,
    fullImagesPerSecond: phases.full?.imagesPerSecond ?? null,
    loraImagesPerSecond: phases.lora?.imagesPerSecond ?? null,
    fullPeakMemoryBytes: phases.full?.peakMemoryBytes ?? null,
    loraPeakMemoryBytes: phases.lora?.peakMemoryBytes ?? null,
  };
}

function phasesOf(status: StatusFile | null): ComparedRun['phases'] {
  const phases = (status?.phases ?? []) as ({ phase: Phase } & PhaseFigures)[];
  return Object.fromEntries(
    phases.map(({ phase, imagesPerSecond, stepMsMedian, peakMemoryBytes, trainableParameters }) => [
      phase,
      { imagesPerSecond, stepMsMedian, peakMemoryBytes, trainableParameters },
    ]),
  );
}

/** The last evaluation among the epochs that count. */
function scoreAt(epochs: readonly EpochRecord[], counts: (epoch: EpochRecord) => boolean): number | null {
  return epochs.filter(counts).findLast(({ valTop1 }) => valTop1 !== null)?.valTop1 ?? null;
}

/** Places of the runs of each group, groups and runs in their order. */
function groupPlaces(read: readonly ReadRun[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [place, { config }] of read.entries()) {
    const settings = flatten(config).filter(([path]) => path !== SEED && !NOT_COMPARED.includes(path));
    const key = JSON.stringify(settings);
    groups.set(key, [...(groups.get(key) ?? []), place]);
  }
  return [...groups.values()];
}

function groupsOf(read: readonly ReadRun[], places: readonly number[][]): ComparedGroup[] {
  const members = places.map((group) => group.map((place) => read[place] as ReadRun));
  const [first] = members;
  const figures = members.map((group) => perFigure((figure) => spreadOf(group.map(({ run }) => run.figures[figure]))));
  return members.map((group, index) => ({
    label: group[0]?.variant ?? group[0]?.run.name ?? '',
    members: places[index] as number[],
    seeds: group.map(({ run }) => run.seed),
    figures: figures[index] as ComparedGroup['figures'],
    againstFirst: index === 0 ? null : against(first as ReadRun[], group, [figures[0], figures[index]] as ComparedGroup['figures'][]),
  }));
}

/** Paired by seed where both groups have the same seeds, each once; else as independent groups. */
function against(a: readonly ReadRun[], b: readonly ReadRun[], [one, two]: ComparedGroup['figures'][]): ComparedGroup['againstFirst'] {
  const seedsOf = (group: readonly ReadRun[]): string => JSON.stringify(group.map(({ run }) => run.seed).sort((x, y) => x - y));
  const isPaired = seedsOf(a) === seedsOf(b) && new Set(a.map(({ run }) => run.seed)).size === a.length;
  const bySeed = (group: readonly ReadRun[], figure: ComparedFigure) => new Map(group.map(({ run }) => [run.seed, run.figures[figure]]));
  return {
    isPaired,
    figures: perFigure((figure) => {
      if (!isPaired) return differenceOf(one?.[figure] ?? null, two?.[figure] ?? null);
      return pairedDifference(bySeed(a, figure), bySeed(b, figure));
    }),
  };
}

function perFigure<T>(value: (figure: ComparedFigure) => T): Record<ComparedFigure, T> {
  return Object.fromEntries(COMPARED_FIGURES.map((figure) => [figure, value(figure)])) as Record<ComparedFigure, T>;
}

function configDifferences(configs: readonly ResolvedConfig[], apart: readonly string[] = []): Record<string, unknown[]> {
  const flat = configs.map((config) => new Map(flatten(config)));
  const paths = new Set(flat.flatMap((fields) => [...fields.keys()]));
  for (const path of [...NOT_COMPARED, ...apart]) paths.delete(path);
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
