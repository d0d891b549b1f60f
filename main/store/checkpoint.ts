/**
 * Writing a checkpoint, `checkpoints/step-N/`: model, optimizer, previous and average tensors, state.json with the rest of what exact
 * resume needs (method.md section 12), and manifest.json with sizes and SHA-256. Written into a temporary folder, fsynced file by
 * file, manifest last, then renamed: it is complete or absent (formats.md section 12; reliability.md R3, R4).
 */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DiskRoom, Phase } from '../protocol/run.ts';
import { CHECKPOINT_VERSION, type CheckpointManifest } from '../protocol/runFiles.ts';
import { renameWithRetries, syncFolder } from './atomicFile.ts';
import type { TensorParts } from './checkpointShapes.ts';
import { diskFault } from './diskFault.ts';
import { FREE_SPACE_FACTOR, freeBytes, requireSpace } from './diskSpace.ts';
import { exists } from './exists.ts';
import { toJson } from './json.ts';
import { writeNewText } from './newFile.ts';
import { NATIVE_METADATA, safetensorsBytes, type Tensor, type TensorSource, writeSafetensors } from './safetensors.ts';

export interface CheckpointContent {
  step: number;
  phase: Phase;
  segment: number;
  tensors: TensorParts<ReadonlyMap<string, TensorSource>>;
  /** Everything else, as plain JSON. Non-finite numbers come back as strings: the reader's schema turns them into numbers. */
  state: object;
}

export interface LoadedCheckpoint {
  manifest: CheckpointManifest;
  tensors: TensorParts<Map<string, Tensor>>;
  state: unknown;
}

/** The tensor files, in the order of the manifest: `{part}.safetensors`. */
export const PARTS = ['model', 'optimizer', 'previous', 'average'] as const;
export const STATE_FILE = 'state.json';
export const MANIFEST_FILE = 'manifest.json';

/** Where a run keeps its checkpoints; it need not exist yet. */
export function checkpointsFolder(runDir: string): string {
  return path.join(runDir, 'checkpoints');
}

/** Where the checkpoint of a step lies, or would. */
export function checkpointFolder(runDir: string, step: number): string {
  return path.join(checkpointsFolder(runDir), `step-${step}`);
}

/** Where an older checkpoint of the same step waits while the new one takes its name; see checkpointFolder.ts. */
export function replacedFolder(runDir: string, step: number): string {
  return path.join(checkpointsFolder(runDir), `.replaced-step-${step}`);
}

/**
 * Writes the checkpoint of `content.step`; one of the same step is replaced. `appendLengths` are the lengths of the append-only
 * files at this step, already fsynced. Throws `disk-full` or `not-writable`; then nothing that existed before has changed.
 */
export async function saveCheckpoint(
  runDir: string,
  content: CheckpointContent,
  run: { runId: string; appendLengths: Record<string, number> },
): Promise<CheckpointManifest> {
  const parent = checkpointsFolder(runDir);
  const temporary = path.join(parent, `.step-${content.step}.${process.pid}.tmp`);
  const stateText = `${toJson(content.state)}\n`;
  try {
    await mkdir(parent, { recursive: true });
    await requireSpaceFor(parent, content, stateText);
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    const manifest = await writeFiles(temporary, content, stateText, run);
    await syncFolder(temporary);
    await putInPlace(runDir, temporary, content.step);
    return manifest;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw diskFault(error, temporary);
  }
}

async function requireSpaceFor(parent: string, content: CheckpointContent, stateText: string): Promise<void> {
  const tensorBytes = PARTS.map((part) => content.tensors[part]).map((tensors) =>
    tensors ? safetensorsBytes(tensors, NATIVE_METADATA) : 0,
  );
  const needed = tensorBytes.reduce((sum, bytes) => sum + bytes, 0) + Buffer.byteLength(stateText);
  await requireSpace(parent, needed, { what: `${parent}: checkpoint step-${content.step}`, cure: 'free some space and resume' });
}

/** What is left for more checkpoints like this one; low when another two do not fit (product.md section 3). */
export async function diskRoom(runDir: string, { files }: Pick<CheckpointManifest, 'files'>): Promise<DiskRoom> {
  const checkpointBytes = FREE_SPACE_FACTOR * files.reduce((sum, { bytes }) => sum + bytes, 0);
  const free = await freeBytes(checkpointsFolder(runDir));
  return { freeBytes: free, checkpointBytes, isLow: free < 2 * checkpointBytes };
}

async function writeFiles(
  folder: string,
  content: CheckpointContent,
  stateText: string,
  run: { runId: string; appendLengths: Record<string, number> },
): Promise<CheckpointManifest> {
  const files: CheckpointManifest['files'] = [];
  let tensors = 0;
  for (const part of PARTS) {
    const source = content.tensors[part];
    if (!source) continue;
    const name = `${part}.safetensors`;
    files.push({ name, ...(await writeSafetensors(path.join(folder, name), source, NATIVE_METADATA)) });
    tensors += source.size;
  }
  files.push({ name: STATE_FILE, ...(await writeNewText(path.join(folder, STATE_FILE), stateText)) });
  const { step, phase, segment } = content;
  const unsigned = {
    format: 'prelora-checkpoint' as const,
    version: CHECKPOINT_VERSION,
    runId: run.runId,
    step,
    phase,
    segment,
    createdAt: new Date().toISOString(),
    files,
    tensors,
    appendLengths: run.appendLengths,
  };
  const manifest: CheckpointManifest = { ...unsigned, sha256: manifestSha256(unsigned) };
  await writeNewText(path.join(folder, MANIFEST_FILE), `${toJson(manifest, 2)}\n`);
  return manifest;
}

/** The check of the manifest over its own values; white space does not count, the order of keys is the order written. */
export function manifestSha256(manifest: object): string {
  const { sha256: _, ...rest } = manifest as { sha256?: unknown };
  return createHash('sha256').update(toJson(rest, 2)).digest('hex');
}

/** Folders cannot be renamed over each other, so an older one steps aside first; a kill in between is undone by `cleanCheckpointFolder`. */
async function putInPlace(runDir: string, temporary: string, step: number): Promise<void> {
  const target = checkpointFolder(runDir, step);
  const aside = replacedFolder(runDir, step);
  const replaces = await exists(target);
  if (replaces) {
    await rm(aside, { recursive: true, force: true });
    await renameWithRetries(target, aside);
  }
  await renameWithRetries(temporary, target);
  await syncFolder(path.dirname(target));
  if (replaces) await rm(aside, { recursive: true, force: true });
}
