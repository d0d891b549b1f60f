/**
 * What came out of a study: a row per run, mean ± spread per variant, and each variant against the first, seed by seed. Runs that did not
 * finish keep their row and count in no mean.
 */
import { type PairedDifference, pairedDifference, spreadOf } from '../core/spread.ts';
import type { ComparedRun, Spread } from '../protocol/comparison.ts';
import type { StudyMembership } from '../protocol/study.ts';
import { readComparedRun } from './compareRuns.ts';

/** The figures that are averaged. Accuracies are fractions, the share is in percent. */
const FIGURES = ['finalValTop1', 'bestValTop1', 'finalValLoss', 'switchStep', 'trainableShare', 'seconds'] as const;
type Figure = (typeof FIGURES)[number];

export interface StudyRow extends Record<Figure, number | null> {
  variant: string;
  seed: number;
  runDir: string;
  status: string;
  bestEpoch: number | null;
  freezeStep: number | null;
}

export interface StudyReport {
  study: string;
  runs: StudyRow[];
  variants: ({ variant: string; n: number } & Record<Figure, Spread | null>)[];
  /** Each further variant minus the first, over the seeds both have. */
  differences: {
    variant: string;
    against: string;
    finalValTop1: PairedDifference | null;
    bestValTop1: PairedDifference | null;
    seconds: PairedDifference | null;
  }[];
}

/** A run's folder and its place in the study. */
export type StudyPlace = Pick<StudyMembership, 'variant' | 'seed'> & { dir: string };

/** Throws `not-found` or `run-damaged`, naming the folder. */
export async function studyReport(study: string, places: readonly StudyPlace[]): Promise<StudyReport> {
  const runs = await Promise.all(places.map(async (place) => rowOf(place, (await readComparedRun(place.dir)).run)));
  const names = [...new Set(runs.map(({ variant }) => variant))];
  const finished = (variant: string): StudyRow[] => runs.filter((run) => run.variant === variant && run.status === 'finished');
  const [first] = names;
  return {
    study,
    runs,
    variants: names.map((variant) => averages(variant, finished(variant))),
    differences: names
      .slice(1)
      .map((variant) => against({ variant: first as string, rows: finished(first as string) }, { variant, rows: finished(variant) })),
  };
}

function rowOf({ variant, seed, dir }: StudyPlace, run: ComparedRun): StudyRow {
  return {
    variant,
    seed,
    runDir: dir,
    status: run.status,
    finalValTop1: run.final.valTop1,
    bestValTop1: run.best?.valTop1 ?? null,
    bestEpoch: run.best?.epoch ?? null,
    finalValLoss: run.final.valLoss,
    switchStep: run.switchStep,
    freezeStep: run.freezeStep,
    trainableShare: run.trainableShare,
    seconds: run.seconds,
  };
}

function averages(variant: string, rows: readonly StudyRow[]): StudyReport['variants'][number] {
  const spread = (figure: Figure): Spread | null => spreadOf(rows.map((row) => row[figure]));
  const figures = Object.fromEntries(FIGURES.map((figure) => [figure, spread(figure)])) as Record<Figure, Spread | null>;
  return { variant, n: rows.length, ...figures };
}

interface VariantRows {
  variant: string;
  rows: readonly StudyRow[];
}

function against(first: VariantRows, other: VariantRows): StudyReport['differences'][number] {
  const paired = (figure: Figure): PairedDifference | null => {
    const bySeed = ({ rows }: VariantRows) => new Map(rows.map((row) => [row.seed, row[figure]]));
    return pairedDifference(bySeed(first), bySeed(other));
  };
  return {
    variant: other.variant,
    against: first.variant,
    finalValTop1: paired('finalValTop1'),
    bestValTop1: paired('bestValTop1'),
    seconds: paired('seconds'),
  };
}
