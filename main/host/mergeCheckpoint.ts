/**
 * Adapters merged into their weights, as an action (product.md F53): W ← W + γ·A·B on a copy (lora/merge.ts), written as a file, read back,
 * and its logits compared with those of base and adapters on the same images and backend. The run and its checkpoints stay as they are.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { openEvalBatches } from '../data/batches.ts';
import { openDataset } from '../data/dataset.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { MergeReport } from '../protocol/results.ts';
import { renameWithRetries, syncFolder, temporaryName, writeJsonAtomically } from '../store/atomicFile.ts';
import { NATIVE_METADATA, readSafetensors, writeSafetensors } from '../store/safetensors.ts';
import { Evaluator } from '../train/evaluator.ts';
import { adaptedRanks, type RunState } from '../train/runState.ts';
import { type CheckpointAt, type RestoredCheckpoint, restoreAt } from './evaluateCheckpoint.ts';

const MERGED_FILE = 'model.safetensors';
const REPORT_FILE = 'merge.json';

const IMAGES = 64;
/** Of the largest logit: float32 rounding alone was 6e-7 to 8e-7 of it (formats.md section 11, V4). */
const TOLERANCE = 1e-5;

/** Where a run's merged weights go: a folder per step. */
export function mergedFolder(runDir: string): string {
  return path.join(runDir, 'merged');
}

/** Writes `folder`/step-N and checks it. A check that fails is told in the report, which lies beside the weights. */
export async function mergeCheckpoint({ folder, ...at }: CheckpointAt & { folder: string }): Promise<MergeReport> {
  const restored = await restoreAt(at);
  const { step, state, tensors } = restored;
  const ranks = state.phase.phase === 'full' ? new Map() : adaptedRanks(state);
  if (ranks.size === 0) {
    const message = `checkpoint step-${step} of ${at.dir} has no adapters to merge: it is in phase ${state.phase.phase}`;
    throw new PreloraError('bad-arguments', message, 'checkpoint');
  }
  // What evaluation uses: the averaged copy of a tensor where one is kept.
  const merged = mergeAdapters(new Map([...tensors.parameters, ...(tensors.average ?? [])]), ranks);
  const target = path.join(folder, `step-${step}`);
  const { bytes } = await writeMerged(target, merged);
  const difference = await compareLogits(restored, await readSafetensors(path.join(target, MERGED_FILE)));
  const report = { step, adapters: ranks.size, folder: target, bytes, ...difference };
  await writeJsonAtomically(path.join(target, REPORT_FILE), report);
  return report;
}

/** Beside, then renamed: weights that are there are whole. What an earlier merge of that step left is replaced. */
async function writeMerged(target: string, merged: ReadonlyMap<string, HostTensor>): Promise<{ bytes: number }> {
  await mkdir(target, { recursive: true });
  await rm(path.join(target, REPORT_FILE), { force: true });
  const file = path.join(target, MERGED_FILE);
  const beside = temporaryName(file);
  try {
    const written = await writeSafetensors(beside, merged, NATIVE_METADATA);
    await renameWithRetries(beside, file);
    await syncFolder(target);
    return written;
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

type Difference = Pick<MergeReport, 'images' | 'largestDifference' | 'limit' | 'changedClasses' | 'isEqual'>;

async function compareLogits(restored: RestoredCheckpoint, merged: Map<string, HostTensor>): Promise<Difference> {
  const { state, tensors, start } = restored;
  const { numClasses } = state.config.model;
  const adapted = new Evaluator(state, tensors, start);
  const plain = new Evaluator(withoutAdapters(state), { ...tensors, parameters: merged, average: null }, start);
  try {
    const [wanted, found] = [[], []] as [number[], number[]];
    const dataset = await openDataset(state.config.data, { channels: state.config.model.inChannels });
    for await (const batch of openEvalBatches(dataset, state.config, Math.min(IMAGES, adapted.batch))) {
      for (const logit of adapted.logits(batch)) wanted.push(logit);
      for (const logit of plain.logits(batch)) found.push(logit);
      if (wanted.length >= IMAGES * numClasses) break;
    }
    return difference(wanted.slice(0, IMAGES * numClasses), found, numClasses);
  } finally {
    adapted.dispose();
    plain.dispose();
  }
}

function withoutAdapters(state: RunState): RunState {
  return { ...state, phase: { ...state.phase, phase: 'full' }, ranks: [] };
}

/** Largest difference of two sets of logits `[n, C]`, against what rounding may do. */
export function difference(wanted: readonly number[], found: readonly number[], numClasses: number): Difference {
  const limit = TOLERANCE * wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const largestDifference = wanted.reduce((largest, value, i) => {
    const apart = Math.abs(value - (found[i] ?? Number.NaN));
    return apart <= largest ? largest : apart; // NaN counts as a difference
  }, 0);
  const images = wanted.length / numClasses;
  let changedClasses = 0;
  for (let image = 0; image < images; image++) {
    const of = (values: readonly number[]) => values.slice(image * numClasses, (image + 1) * numClasses);
    const [first, second] = [...of(wanted)].sort((a, b) => b - a) as [number, number];
    const isClear = first - second > 2 * limit;
    if (isClear && top(of(found)) !== top(of(wanted))) changedClasses++;
  }
  return { images, largestDifference, limit, changedClasses, isEqual: largestDifference <= limit && changedClasses === 0 };
}

function top(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
