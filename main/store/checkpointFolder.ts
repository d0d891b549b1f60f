/**
 * The checkpoints of a run together: which there are, which one to go on from, which are pinned, and which may go. Pruning comes
 * after a new one is complete and keeps the last, the best, the newest n and the pinned ones (formats.md section 12).
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ModelShape } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';
import { PinsFile } from '../protocol/runFiles.ts';
import { temporaryOwner, writeJsonAtomically } from './atomicFile.ts';
import { checkpointFolder, checkpointsFolder, type LoadedCheckpoint, replacedFolder } from './checkpoint.ts';
import { CheckpointDamage, loadCheckpoint, readManifest, verifyCheckpoint } from './checkpointReading.ts';
import { systemCode } from './diskFault.ts';
import { exists } from './exists.ts';
import { firstIssue } from './json.ts';
import type { IsLive } from './lineage.ts';
import { isAlive } from './lock.ts';

export interface CheckpointSummary {
  step: number;
  segment: number;
  phase: Phase;
  createdAt: string;
  bytes: number;
  /** Why it is kept whatever comes, or null. */
  pinned: string | null;
}

/** A checkpoint whose manifest cannot be read. */
export interface BrokenCheckpoint {
  step: number;
  problem: string;
}

/** All checkpoints by step, told by their manifests alone (the files are not hashed), and those whose manifest is no good. */
export async function listCheckpoints(runDir: string): Promise<{ checkpoints: CheckpointSummary[]; broken: BrokenCheckpoint[] }> {
  const checkpoints: CheckpointSummary[] = [];
  const broken: BrokenCheckpoint[] = [];
  const { pins } = await readPins(runDir);
  for (const step of await checkpointSteps(runDir)) {
    try {
      const { segment, phase, createdAt, files } = await readManifest(runDir, step);
      const pin = pins.find((candidate) => candidate.step === step && candidate.segment === segment);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      checkpoints.push({ step, segment, phase, createdAt, bytes, pinned: pin?.reason ?? null });
    } catch (error) {
      if (!(error instanceof CheckpointDamage)) throw error;
      broken.push({ step, problem: error.message });
    }
  }
  return { checkpoints, broken };
}

async function checkpointSteps(runDir: string): Promise<number[]> {
  const names = await folderNames(checkpointsFolder(runDir));
  return names
    .map((name) => /^step-(0|[1-9]\d*)$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

async function folderNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The newest live checkpoint that verifies completely, or null, and what was wrong with newer ones. */
export async function newestGoodCheckpoint(
  runDir: string,
  model: ModelShape,
  isLive: IsLive,
): Promise<{ step: number | null; damaged: string[] }> {
  const { checkpoints, broken } = await listCheckpoints(runDir);
  const damaged = broken.map(({ problem }) => problem);
  for (const { step } of checkpoints.filter(isLive).reverse()) {
    try {
      await verifyCheckpoint(runDir, step, model);
      return { step, damaged };
    } catch (error) {
      if (!(error instanceof CheckpointDamage)) throw error;
      damaged.push(error.message);
    }
  }
  return { step: null, damaged };
}

/**
 * Loads a checkpoint; when it is damaged the message also says which one can be used instead. Throws `not-found` or
 * `checkpoint-damaged`.
 */
export async function loadCheckpointOrOffer(runDir: string, step: number, model: ModelShape, isLive: IsLive): Promise<LoadedCheckpoint> {
  const steps = await checkpointSteps(runDir);
  if (!steps.includes(step)) {
    const have = steps.length > 0 ? `it has ${steps.map((n) => `step-${n}`).join(', ')}` : 'it has none';
    throw new PreloraError('not-found', `${runDir}: no checkpoint step-${step}; ${have}`);
  }
  try {
    return await loadCheckpoint(runDir, step, model);
  } catch (error) {
    if (!(error instanceof CheckpointDamage)) throw error;
    const good = (await newestGoodCheckpoint(runDir, model, isLive)).step;
    const offer = good === null ? '; no other checkpoint is good' : `; the newest good one is step-${good}`;
    throw new CheckpointDamage(error.step, error.file, error.rule, offer);
  }
}

function pinsFile(runDir: string): string {
  return path.join(checkpointsFolder(runDir), 'pinned.json');
}

async function readPins(runDir: string): Promise<PinsFile> {
  const file = pinsFile(runDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '{"pins":[]}';
    throw error;
  });
  const parsed = PinsFile.safeParse(JSON.parse(text));
  if (!parsed.success) throw new PreloraError('run-damaged', `${file}: ${firstIssue(parsed.error.issues)}`);
  return parsed.data;
}

/** Keeps a checkpoint from being pruned. Pinning twice keeps the newer reason. */
export async function pinCheckpoint(runDir: string, pin: { step: number; segment: number; reason: string }): Promise<void> {
  const others = (await readPins(runDir)).pins.filter(({ step, segment }) => step !== pin.step || segment !== pin.segment);
  await writeJsonAtomically(pinsFile(runDir), { pins: [...others, pin] });
}

export interface KeepRule {
  /** How many of the newest live ones stay. */
  newest: number;
  /** Step of the best one so far, if any. */
  best: number | null;
  isLive: IsLive;
}

/** Deletes what nothing keeps and returns its steps. Abandoned ones count for nothing but a pin; broken ones are left to look at. */
export async function pruneCheckpoints(runDir: string, keep: KeepRule): Promise<number[]> {
  const { checkpoints } = await listCheckpoints(runDir);
  const live = checkpoints.filter(keep.isLive);
  const kept = new Set(live.slice(-Math.max(1, keep.newest)).map(({ step }) => step));
  if (keep.best !== null) kept.add(keep.best);
  const doomed = checkpoints.filter(({ step, pinned }) => pinned === null && !kept.has(step)).map(({ step }) => step);
  for (const step of doomed) await discardCheckpoint(runDir, step);
  return doomed;
}

/** Renamed first, so that a kill while deleting leaves no half checkpoint under a real name. */
export async function discardCheckpoint(runDir: string, step: number): Promise<void> {
  const trash = path.join(checkpointsFolder(runDir), `.trash-step-${step}-${randomBytes(4).toString('hex')}`);
  await rename(checkpointFolder(runDir, step), trash);
  await rm(trash, { recursive: true, force: true });
}

/**
 * Puts right what a kill left half done: temporary folders, trash, replaced checkpoints. Only for the holder of the run's lock, who
 * knows that nobody is writing here; a folder with our own pid is that of a worker that died in this process.
 */
export async function cleanCheckpointFolder(runDir: string): Promise<void> {
  const parent = checkpointsFolder(runDir);
  for (const name of await folderNames(parent)) {
    const replaced = /^\.replaced-step-(\d+)$/.exec(name);
    if (replaced) await recoverReplaced(runDir, Number(replaced[1]));
    else if (name.startsWith('.trash-') || temporaryOwner(name) !== null)
      await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

/** Gives a checkpoint that had stepped aside its name back when its successor never arrived; removes it when it did. */
async function recoverReplaced(runDir: string, step: number): Promise<void> {
  const aside = replacedFolder(runDir, step);
  if (await exists(checkpointFolder(runDir, step))) await rm(aside, { recursive: true, force: true });
  else await rename(aside, checkpointFolder(runDir, step));
}

/** True for a temporary name whose process is gone. */
export function isLeftOver(name: string): boolean {
  const owner = temporaryOwner(name);
  return owner !== null && !isAlive(owner);
}
