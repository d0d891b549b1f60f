/**
 * Reading a checkpoint, which begins with distrust: manifest, sizes, SHA-256, tensor names and shapes are checked before anything is
 * used, and what is wrong is told by file and rule (formats.md section 12, "open"; reliability.md R3).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ModelShape } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { CHECKPOINT_VERSION, CheckpointManifest } from '../protocol/runFiles.ts';
import { checkpointFolder, type LoadedCheckpoint, MANIFEST_FILE, manifestSha256, PARTS, STATE_FILE } from './checkpoint.ts';
import { findShapeFault, type ShapeMap, type TensorParts } from './checkpointShapes.ts';
import { systemCode } from './diskFault.ts';
import { firstIssue, parseJson } from './json.ts';
import { withNamedData } from './namedData.ts';
import { readSafetensors, SafetensorsFile } from './safetensors.ts';

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
  return { manifest, state: await withNamedDataInState(runDir, state) };
}

/** The config in a state says where the data lies, as the run's own config does. */
async function withNamedDataInState(runDir: string, state: unknown): Promise<unknown> {
  if (typeof state !== 'object' || state === null || !('config' in state)) return state;
  return { ...state, config: await withNamedData(runDir, state.config) };
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
