/**
 * What of a run goes into a bundle: the files a run has by its format, and nothing else that lies in its folder, because only what is known can
 * be cleared of paths and names. The lock, temporary files, merged copies and TensorBoard's files are made anew where they are wanted.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundleWeights } from '../protocol/bundle.ts';
import { MANIFEST_FILE, PARTS, STATE_FILE } from './checkpoint.ts';
import { listCheckpoints } from './checkpointFolder.ts';
import {
  ANNOTATIONS_FILE,
  BEST_FILE,
  CONFIG_FILE,
  DATA_REPORT_FILE,
  LAST_FILE,
  RANKS_FILE,
  RECORD_FILES,
  readBest,
  readLineage,
  STATUS_FILE,
  SUMMARY_FILE,
} from './runFolder.ts';

/** In the order in which they stand in a bundle: what a reader looks at first comes first. */
const SINGLE_FILES = [CONFIG_FILE, STATUS_FILE, ANNOTATIONS_FILE, RANKS_FILE, DATA_REPORT_FILE, SUMMARY_FILE, BEST_FILE, LAST_FILE];
export const RECORD_NAMES: readonly string[] = Object.values(RECORD_FILES).map(({ name }) => name);
const RANKS_SET_ASIDE = /^ranks\.segment-\d{1,9}\.json$/;
export const PINS_NAME = 'checkpoints/pinned.json';
const CHECKPOINT_FILE = /^checkpoints\/step-(?:0|[1-9]\d{0,15})\/([^/]+)$/;
const CHECKPOINT_FILES: ReadonlySet<string> = new Set([...PARTS.map((part) => `${part}.safetensors`), STATE_FILE, MANIFEST_FILE]);

/** Whether a run has a file of that name, with `/` between folders, that travels. */
export function isBundled(name: string): boolean {
  if (SINGLE_FILES.includes(name) || RECORD_NAMES.includes(name) || RANKS_SET_ASIDE.test(name) || name === PINS_NAME) return true;
  const inCheckpoint = CHECKPOINT_FILE.exec(name)?.[1];
  return inCheckpoint !== undefined && CHECKPOINT_FILES.has(inCheckpoint);
}

/** The files of a run beside its records and checkpoints, those that are there. */
export async function singleFiles(runDir: string): Promise<string[]> {
  const there = await readdir(runDir);
  return [...SINGLE_FILES.filter((name) => there.includes(name)), ...there.filter((name) => RANKS_SET_ASIDE.test(name)).sort()];
}

export interface ChosenCheckpoints {
  steps: number[];
  /** What is not as one might expect, a sentence each. */
  notes: string[];
}

/** The steps of the checkpoints that `weights` asks for. Those that cannot be read are left out, and told. */
export async function chooseCheckpoints(runDir: string, weights: BundleWeights): Promise<ChosenCheckpoints> {
  if (weights === 'none') return { steps: [], notes: [] };
  const { checkpoints, broken } = await listCheckpoints(runDir);
  if (weights === 'all')
    return { steps: checkpoints.map(({ step }) => step), notes: broken.map(({ problem }) => `${problem}; it is left out`) };
  const best = await readBest(runDir);
  if (best !== null && checkpoints.some(({ step }) => step === best)) return { steps: [best], notes: [] };
  const last = checkpoints.findLast(await readLineage(runDir))?.step;
  if (last === undefined) return { steps: [], notes: ['the run has no checkpoint yet: the bundle is without weights'] };
  return { steps: [last], notes: [`the run has no best checkpoint yet: step ${last}, its last, is taken`] };
}

/** Where a file of a run lies; `name` is one that `isBundled` knows. */
export function fileOf(runDir: string, name: string): string {
  return path.join(runDir, ...name.split('/'));
}
