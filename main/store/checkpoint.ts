/**
 * One checkpoint, `checkpoints/step-N/`: model, optimizer, previous and average tensors, state.json with the rest of what exact
 * resume needs (method.md section 12), and manifest.json with sizes and SHA-256. Written into a temporary folder, fsynced file by
 * file, manifest last, then renamed: it is complete or absent (formats.md section 12; reliability.md R3, R4).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { ModelShape } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';
import { CHECKPOINT_VERSION, CheckpointManifest } from '../protocol/runFiles.ts';
import { renameWithRetries, syncFolder } from './atomicFile.ts';
import { findShapeFault, type ShapeMap, type TensorParts } from './checkpointShapes.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { firstIssue, toJson } from './json.ts';
import {
  NATIVE_METADATA,
  readSafetensors,
  SafetensorsFile,
  safetensorsBytes,
  type Tensor,
  type TensorSource,
  type WrittenFile,
  writeSafetensors,
} from './safetensors.ts';

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

const PARTS = ['model', 'optimizer', 'previous', 'average'] as const;
const STATE_FILE = 'state.json';
const MANIFEST_FILE = 'manifest.json';
/** Room that must stay free beyond what is written: the records that follow, and what file systems keep for themselves. */
const FREE_SPACE_FACTOR = 1.1;

export function checkpointsFolder(runDir: string): string {
  return path.join(runDir, 'checkpoints');
}

export function checkpointFolder(runDir: string, step: number): string {
  return path.join(checkpointsFolder(runDir), `step-${step}`);
}

/** Where an older checkpoint of the same step waits while the new one takes its name; see `recoverReplaced`. */
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
    await requireSpace(parent, content, stateText);
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

async function requireSpace(parent: string, content: CheckpointContent, stateText: string): Promise<void> {
  const tensorBytes = PARTS.map((part) => content.tensors[part]).map((tensors) =>
    tensors ? safetensorsBytes(tensors, NATIVE_METADATA) : 0,
  );
  const needed = FREE_SPACE_FACTOR * (tensorBytes.reduce((sum, bytes) => sum + bytes, 0) + Buffer.byteLength(stateText));
  const { bavail, bsize } = await statfs(parent);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new PreloraError(
    'disk-full',
    `${parent}: checkpoint step-${content.step} needs ${mebibytes(needed)} MiB, ${mebibytes(free)} MiB are free; free some space and resume`,
  );
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
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
  files.push({ name: STATE_FILE, ...(await writeText(path.join(folder, STATE_FILE), stateText)) });
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
  await writeText(path.join(folder, MANIFEST_FILE), `${toJson(manifest, 2)}\n`);
  return manifest;
}

/** The check of the manifest over its own values; white space does not count, the order of keys is the order written. */
function manifestSha256(manifest: object): string {
  const { sha256: _, ...rest } = manifest as { sha256?: unknown };
  return createHash('sha256').update(toJson(rest, 2)).digest('hex');
}

async function writeText(file: string, text: string): Promise<WrittenFile> {
  const bytes = Buffer.from(text);
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Folders cannot be renamed over each other, so an older one steps aside first; a kill in between is undone by `recoverReplaced`. */
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

/** Gives a checkpoint that had stepped aside its name back when its successor never arrived; removes it when it did. */
export async function recoverReplaced(runDir: string, step: number): Promise<void> {
  const aside = replacedFolder(runDir, step);
  if (await exists(checkpointFolder(runDir, step))) await rm(aside, { recursive: true, force: true });
  else await rename(aside, checkpointFolder(runDir, step));
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The error of a checkpoint that cannot be used: what is broken, in which file. */
export class CheckpointDamage extends PreloraError {
  constructor(
    readonly step: number,
    readonly file: string,
    readonly rule: string,
    offer = '',
  ) {
    super('checkpoint-damaged', `checkpoint step-${step} is damaged: ${file}: ${rule}${offer}`);
  }
}

/** Reads and checks the manifest alone. Throws `CheckpointDamage`. */
export async function readManifest(runDir: string, step: number): Promise<CheckpointManifest> {
  const damage = (rule: string): CheckpointDamage => new CheckpointDamage(step, MANIFEST_FILE, rule);
  const text = await readFile(path.join(checkpointFolder(runDir, step), MANIFEST_FILE), 'utf8').catch((error: unknown) => {
    throw damage(systemCode(error) === 'ENOENT' ? 'is missing' : `cannot be read (${systemCode(error)})`);
  });
  const value = parseJson(text);
  if (value === undefined) throw damage('is not JSON');
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > CHECKPOINT_VERSION) {
    throw damage(`is version ${version}, this program reads up to ${CHECKPOINT_VERSION}`);
  }
  const parsed = CheckpointManifest.safeParse(value);
  if (!parsed.success) throw damage(firstIssue(parsed.error.issues));
  if (manifestSha256(value as object) !== parsed.data.sha256) throw damage('has another SHA-256 than when it was written');
  if (parsed.data.step !== step) throw damage(`tells of step ${parsed.data.step}`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Checks a checkpoint completely: manifest, size and SHA-256 of every file, the tensors' names and shapes against the model, and
 * that the state is JSON. Throws `CheckpointDamage` naming file and rule.
 */
export async function verifyCheckpoint(runDir: string, step: number, model: ModelShape): Promise<CheckpointManifest> {
  return (await verifyAndReadState(runDir, step, model)).manifest;
}

async function verifyAndReadState(
  runDir: string,
  step: number,
  model: ModelShape,
): Promise<{ manifest: CheckpointManifest; state: unknown }> {
  const manifest = await readManifest(runDir, step);
  const folder = checkpointFolder(runDir, step);
  checkFileNames(manifest);
  for (const file of manifest.files) await checkFile(folder, step, file);
  const fault = findShapeFault(await readParts(folder, manifest, readShapes), model, manifest.phase);
  if (fault) throw new CheckpointDamage(step, fault.file, fault.rule);
  const state = parseJson(await readFile(path.join(folder, STATE_FILE), 'utf8'));
  if (state === undefined) throw new CheckpointDamage(step, STATE_FILE, 'is not JSON');
  return { manifest, state };
}

/** Only our own names: a manifest from elsewhere must not lead outside its folder. */
function checkFileNames({ step, files }: CheckpointManifest): void {
  const known: string[] = [...PARTS.map((part) => `${part}.safetensors`), STATE_FILE];
  const names = files.map(({ name }) => name);
  const odd = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
  if (odd !== undefined)
    throw new CheckpointDamage(step, MANIFEST_FILE, `lists ${JSON.stringify(odd)}, which no checkpoint has or has once`);
  const missing = ['model.safetensors', 'optimizer.safetensors', STATE_FILE].find((name) => !names.includes(name));
  if (missing) throw new CheckpointDamage(step, MANIFEST_FILE, `does not list ${missing}`);
}

async function checkFile(folder: string, step: number, expected: CheckpointManifest['files'][number]): Promise<void> {
  const file = path.join(folder, expected.name);
  const damage = (rule: string): CheckpointDamage => new CheckpointDamage(step, expected.name, rule);
  const info = await stat(file).catch((error: unknown) => {
    throw damage(systemCode(error) === 'ENOENT' ? 'is missing' : `cannot be read (${systemCode(error)})`);
  });
  if (info.size !== expected.bytes) throw damage(`has ${info.size} bytes, expected ${expected.bytes}`);
  if ((await sha256Of(file)) !== expected.sha256) throw damage('has another SHA-256 than when it was written');
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function readShapes(file: string): Promise<ShapeMap> {
  const opened = await SafetensorsFile.open(file);
  await opened.close();
  return opened.header.tensors;
}

async function readParts<T>(folder: string, manifest: CheckpointManifest, read: (file: string) => Promise<T>): Promise<TensorParts<T>> {
  const parts: Partial<TensorParts<T>> = {};
  for (const part of PARTS) {
    const name = `${part}.safetensors`;
    if (!manifest.files.some((file) => file.name === name)) continue;
    parts[part] = await read(path.join(folder, name)).catch((error: unknown) => {
      throw new CheckpointDamage(manifest.step, name, error instanceof Error ? error.message : String(error));
    });
  }
  return parts as TensorParts<T>;
}

/** Verifies and reads a checkpoint. Throws `CheckpointDamage`; `loadCheckpointOrOffer` adds which one can be used instead. */
export async function loadCheckpoint(runDir: string, step: number, model: ModelShape): Promise<LoadedCheckpoint> {
  const { manifest, state } = await verifyAndReadState(runDir, step, model);
  const tensors = await readParts(checkpointFolder(runDir, step), manifest, readSafetensors);
  return { manifest, tensors, state };
}
