/**
 * Adapters merged into their weights, as an action (product.md F53): W ← W + γ·A·B on a copy (lora/merge.ts), written as a file, read back,
 * and its logits compared with those of base and adapters on the same images and backend. The run and its checkpoints stay as they are.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { MergeReport } from '../protocol/results.ts';
import { renameWithRetries, syncFolder, temporaryName, writeJsonAtomically } from '../store/atomicFile.ts';
import { NATIVE_METADATA, readSafetensors, writeSafetensors } from '../store/safetensors.ts';
import { Evaluator } from '../train/evaluator.ts';
import { adaptedRanks, type RunState } from '../train/runState.ts';
import { type Difference, difference, imageInputs, logitsOf } from './compareLogits.ts';
import { type CheckpointAt, type RestoredCheckpoint, restoreAt } from './evaluateCheckpoint.ts';

const MERGED_FILE = 'model.safetensors';
const REPORT_FILE = 'merge.json';

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

async function compareLogits(restored: RestoredCheckpoint, merged: Map<string, HostTensor>): Promise<Difference> {
  const { state, tensors, start } = restored;
  const adapted = new Evaluator(state, tensors, start);
  const plain = new Evaluator(withoutAdapters(state), { ...tensors, parameters: merged, average: null }, start);
  try {
    const inputs = await imageInputs(state.config, Math.min(adapted.batch, plain.batch));
    return difference(logitsOf(adapted, inputs), logitsOf(plain, inputs), state.config.model.numClasses);
  } finally {
    adapted.dispose();
    plain.dispose();
  }
}

function withoutAdapters(state: RunState): RunState {
  return { ...state, phase: { ...state.phase, phase: 'full' }, ranks: [] };
}
