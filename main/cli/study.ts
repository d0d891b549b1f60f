/**
 * `prelora study`: one recipe as several variants, each with several random seeds, one run after another, each in a fresh process. A study
 * that was interrupted goes on when the same command is given again with its --name or --out: finished runs are kept, others are resumed.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { differingField, planStudy, type StudyRun } from '../core/study.ts';
import { annotateRun } from '../host/runCatalog.ts';
import { type StudyReport, studyReport } from '../host/studyReport.ts';
import type { Difference } from '../protocol/comparison.ts';
import { EXIT_STATUS, PreloraError } from '../protocol/reply.ts';
import { runsRoot } from '../store/paths.ts';
import { readConfig, readStatus } from '../store/runFolder.ts';
import { defaultRunName, runFolderName } from '../store/runName.ts';
import { readArguments } from './arguments.ts';
import { differenceWords, percentSpread } from './compare.ts';
import { CONFIG_OPTIONS, configOfArguments } from './configArguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';
import { duration } from './progress.ts';
import { runPart } from './respawn.ts';
import { inNativeEnvironment } from './train.ts';

export const STUDY_USAGE =
  'prelora study --variants prelora,full,… --seeds 0,1,2 [--preset NAME] [--config FILE] [--set path=value …] [--backend NAME] [--name NAME] [--out DIR] [--json]';

type PlacedRun = StudyRun & { dir: string };

/** Exit status 0 when every run finished, 5 when one did not, 130 stopped by the user. */
export async function studyCommand(args: string[], io: CommandIo): Promise<number> {
  const options = {
    ...CONFIG_OPTIONS,
    variants: { type: 'string', default: 'prelora,full' },
    seeds: { type: 'string', default: '0,1,2' },
    name: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  } as const;
  const { values } = readArguments(args, options, STUDY_USAGE, [0, 0]);
  const recipe = await configOfArguments(values);
  const study = values.name ?? (values.out === undefined ? defaultRunName(recipe, new Date()) : path.basename(path.resolve(values.out)));
  const plan = planStudy(recipe, { study, variants: readVariants(values.variants), seeds: readSeeds(values.seeds) });
  const runs = plan.map((run) => ({ ...run, dir: path.join(values.out ?? runsRoot(), runFolderName(run.config.name)) }));
  await requireSameStudy(runs);
  // The name is fixed now, so that a second start of this command means the same study.
  const again = await inNativeEnvironment(recipe.engine, ['study', ...args, '--name', study], io);
  if (again !== null) return again;
  await trainAll(runs, io);
  const started = runs.filter(({ dir }) => existsSync(dir));
  const report = await studyReport(study, started);
  if (values.json) printJson(io, report);
  else io.stdout.write(`${describeStudy(report)}\n`);
  if (io.signal.aborted) return EXIT_STATUS.interrupted;
  return report.runs.length === runs.length && report.runs.every(({ status }) => status === 'finished') ? 0 : EXIT_STATUS['trainer-exited'];
}

/** One after another; a run that fails does not keep the others from their turn. */
async function trainAll(runs: readonly PlacedRun[], io: CommandIo): Promise<void> {
  for (const [index, run] of runs.entries()) {
    if (io.signal.aborted) return;
    const isThere = existsSync(run.dir);
    if (isThere && (await readStatus(run.dir))?.status === 'finished') continue;
    io.stderr.write(`\n${run.study}: run ${index + 1} of ${runs.length}, ${run.variant}, seed ${run.seed}\n`);
    const status = isThere ? await runPart(['resume', run.dir], io) : await startRun(run, io);
    if (status !== 0) io.stderr.write(`${run.dir}: ended with status ${status}\n`);
    if (existsSync(run.dir)) await annotateRun(run.dir, { study: { study: run.study, variant: run.variant, seed: run.seed } });
  }
}

async function startRun({ config, dir }: PlacedRun, io: CommandIo): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'prelora-study-'));
  try {
    const file = path.join(folder, 'config.json');
    await writeFile(file, JSON.stringify(config));
    return await runPart(['train', '--config', file, '--out', dir], io);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs that are there already must be of the recipe that is asked for now. */
async function requireSameStudy(runs: readonly PlacedRun[]): Promise<void> {
  for (const { dir, config } of runs) {
    if (!existsSync(dir)) continue;
    const field = differingField(await readConfig(dir), config);
    if (field === null) continue;
    throw new PreloraError(
      'bad-arguments',
      `${dir}: is there already and was trained with another ${field}; give another --name or --out`,
      field,
    );
  }
}

/** Commas inside brackets belong to a value: `prelora,prelora.targetModules=[q,v]`. */
function readVariants(text: string): string[] {
  return text.split(/,(?![^[]*\])/).map((variant) => variant.trim());
}

/** `0,1,2` or `0-4`. */
export function readSeeds(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!match) throw new PreloraError('bad-arguments', `--seeds ${text}: must look like 0,1,2 or 0-4`, 'seeds');
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first || last - first >= 1000)
      throw new PreloraError('bad-arguments', `--seeds ${part}: must count up, over at most 1000`, 'seeds');
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The table of runs, the table of variants, and each variant against the first. */
function describeStudy({ study, runs, variants, differences }: StudyReport): string {
  const header = ['variant', 'seed', 'status', 'val top-1', 'best', 'epoch', 'switch', 'trainable', 'time'];
  const rows = runs.map((run) => [
    run.variant,
    String(run.seed),
    run.status,
    percent(run.finalValTop1),
    percent(run.bestValTop1),
    String(run.bestEpoch ?? '–'),
    String(run.switchStep ?? '–'),
    `${(run.trainableShare ?? 100).toFixed(2)} %`,
    duration(run.seconds ?? 0),
  ]);
  const means = variants.map(({ variant, n, finalValTop1, bestValTop1, trainableShare, seconds }) => [
    variant,
    String(n),
    percentSpread(finalValTop1),
    percentSpread(bestValTop1),
    trainableShare ? `${trainableShare.mean.toFixed(2)} %` : '–',
    seconds ? duration(seconds.mean) : '–',
  ]);
  const words = (difference: Difference | null): string => (difference ? differenceWords(difference) : 'no seed in common');
  const lines = [`study ${study}`, formatTable(header, rows), '', 'mean ± standard deviation over finished runs'];
  lines.push(formatTable(['variant', 'n', 'val top-1', 'best', 'trainable', 'time'], means));
  for (const { variant, against, finalValTop1, bestValTop1 } of differences) {
    lines.push(`${variant} − ${against}, paired by seed: val top-1 ${words(finalValTop1)}; best ${words(bestValTop1)}`);
  }
  return lines.join('\n');
}

function percent(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(2)} %`;
}
