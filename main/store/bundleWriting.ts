/**
 * Writing a run as one zip, `*.prelora.zip`: bundle.json first, with every file's size and SHA-256, then the run as it is on disk, cleared of
 * paths and names (bundleMask.ts). Written beside, fsynced, renamed: the file is complete or absent. formats.md section 12, "Bundle".
 *
 * A run that is being trained is bundled as it stands: checkpoints that are complete, and of each record file the lines that were whole
 * when their turn came, which is after the checkpoints, so that every checkpoint finds its records. Nothing is locked, and training goes on.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { BUNDLE_VERSION, type BundledFile, type BundleManifest, type BundleWeights } from '../protocol/bundle.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { WrittenBundle } from '../protocol/results.ts';
import type { CheckpointManifest } from '../protocol/runFiles.ts';
import { renameWithRetries, syncFolder, temporaryName } from './atomicFile.ts';
import { chooseCheckpoints, fileOf, isBundled, PINS_NAME, RECORD_NAMES, singleFiles } from './bundleFiles.ts';
import { type BundleMask, createBundleMask, type Person } from './bundleMask.ts';
import { MANIFEST_FILE, manifestSha256, STATE_FILE } from './checkpoint.ts';
import { CheckpointDamage, readManifest } from './checkpointReading.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { requireSpace } from './diskSpace.ts';
import { exists } from './exists.ts';
import { parseJson, toJson } from './json.ts';
import { linesOf, wholeBytes } from './jsonLines.ts';
import { programVersion } from './programVersion.ts';
import { BEST_FILE, DATA_REPORT_FILE, LAST_FILE, readConfig } from './runFolder.ts';
import { readRunId } from './runId.ts';

export interface BundleOptions {
  /** Which checkpoints go along; `best` unless given. */
  weights?: BundleWeights;
  /** Bytes of the run that are in the zip so far, of all. */
  onProgress?: (bytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
  /** Whose traces are taken out; the user of this process unless given. */
  person?: Person;
}

/** One file of the bundle; `open` gives the same bytes each time. */
interface Member extends BundledFile {
  open: () => Readable;
  isStored: boolean;
}

/** A run being trained may prune a checkpoint while it is read. */
const ATTEMPTS = 3;
/** The same in every time zone, as zips know no zones; the earliest they can tell. */
const FIXED_DATE = new Date(1980, 0, 1);
const FILE_MODE = 0o100644;
const PIECE_BYTES = 1 << 20;
const NEWLINE = Buffer.from('\n');

/**
 * Writes the run in `runDir` to `file`, which must not exist. Throws `not-found` where there is no run, `bad-arguments` for a file that is
 * there, `checkpoint-damaged`, `disk-full`, `not-writable`, `busy` when checkpoints keep going while they are read, `interrupted` after an abort.
 * Then nothing is left of the file.
 */
export async function writeBundle(runDir: string, file: string, options: BundleOptions = {}): Promise<WrittenBundle> {
  if (await exists(file)) throw new PreloraError('bad-arguments', `${file} exists; give another name`, 'file');
  const folder = path.dirname(path.resolve(file));
  if (!(await exists(folder))) throw new PreloraError('not-found', `${folder}: no such folder`, 'file');
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeOnce(runDir, file, options);
    } catch (error) {
      if (!isGoneFrom(runDir, error)) throw diskFault(error, file);
      if (attempt === ATTEMPTS)
        throw new PreloraError('busy', `${runDir}: its checkpoints change while they are read; pause the run first`);
    }
  }
}

/** Whether a file of the run went away while it was read. */
function isGoneFrom(runDir: string, error: unknown): boolean {
  const missing = (error as NodeJS.ErrnoException).path;
  return systemCode(error) === 'ENOENT' && missing !== undefined && path.resolve(missing).startsWith(path.resolve(runDir) + path.sep);
}

async function writeOnce(
  runDir: string,
  file: string,
  { weights = 'best', onProgress, signal, person }: BundleOptions,
): Promise<WrittenBundle> {
  const config = await readConfig(runDir);
  const report = parseJson(await readFile(path.join(runDir, DATA_REPORT_FILE), 'utf8').catch(() => ''));
  const mask = createBundleMask({ runDir, config, report: report ?? null, ...(person && { person }) });
  const { steps, notes } = await chooseCheckpoints(runDir, weights);
  const members = await membersOf(runDir, steps, mask);
  const manifest: BundleManifest = {
    format: 'prelora-bundle',
    version: BUNDLE_VERSION,
    runId: await readRunId(runDir),
    createdAt: new Date().toISOString(),
    app: `prelora-workbench ${await programVersion()}`,
    files: members.map(({ name, bytes, sha256 }) => ({ name: `run/${name}`, bytes, sha256 })),
    weights,
  };
  const folder = path.dirname(path.resolve(file));
  const total = members.reduce((sum, { bytes }) => sum + bytes, 0);
  await requireSpace(folder, total, { what: file, cure: 'free some space, or bundle it with fewer weights' });
  const beside = temporaryName(path.resolve(file));
  try {
    await writeZip(beside, manifest, members, { total, onProgress, signal });
    await renameWithRetries(beside, file);
    await syncFolder(folder);
  } catch (error) {
    await rm(beside, { force: true });
    if (signal?.aborted) throw new PreloraError('interrupted', `${file}: bundling was cancelled; nothing is left of it`);
    throw error;
  }
  return { file, bytes: (await stat(file)).size, steps, notes };
}

// ---- what goes in ----------------------------------------------------------------------------------------------------

async function membersOf(runDir: string, steps: readonly number[], mask: BundleMask): Promise<Member[]> {
  const manifests = new Map<number, CheckpointManifest>();
  for (const step of steps) manifests.set(step, await readManifest(runDir, step));
  // Records after checkpoints: what a checkpoint counts on is whole by then.
  const records: Member[] = [];
  const moved = new Map<string, LengthMap>();
  for (const name of RECORD_NAMES) {
    const { member, lengths } = await recordMember(runDir, name, mask);
    if (member) records.push(member);
    moved.set(name, lengths);
  }
  const single = [];
  for (const name of await singleFiles(runDir)) single.push(...(await singleMember(runDir, name, { mask, steps })));
  const checkpoints = [];
  for (const manifest of manifests.values()) checkpoints.push(...(await checkpointMembers(runDir, manifest, { mask, moved })));
  return [...single, ...records, ...checkpoints, ...(await pinsMember(runDir, steps))];
}

/** None for a pointer to a checkpoint that stays behind; last.json then points at the newest that comes along. */
async function singleMember(
  runDir: string,
  name: string,
  { mask, steps }: { mask: BundleMask; steps: readonly number[] },
): Promise<Member[]> {
  const text = await readFile(fileOf(runDir, name), 'utf8');
  if (name !== BEST_FILE && name !== LAST_FILE) return [textMember(name, name.endsWith('.json') ? mask.json(text) : text)];
  const { step } = (parseJson(text) ?? {}) as { step?: unknown };
  if (steps.includes(step as number)) return [textMember(name, text)];
  const newest = steps.at(-1);
  return name === LAST_FILE && newest !== undefined ? [textMember(name, `${toJson({ step: newest }, 2)}\n`)] : [];
}

/** Pins of the checkpoints that come along. */
async function pinsMember(runDir: string, steps: readonly number[]): Promise<Member[]> {
  const text = await readFile(fileOf(runDir, PINS_NAME), 'utf8').catch(() => '');
  const { pins } = (parseJson(text) ?? {}) as { pins?: { step: number }[] };
  if (!Array.isArray(pins)) return [];
  const kept = pins.filter(({ step }) => steps.includes(step));
  if (kept.length === 0) return [];
  return [textMember(PINS_NAME, kept.length === pins.length ? text : `${toJson({ pins: kept }, 2)}\n`)];
}

/** Length in the run → length in the bundle, where lines were masked; null where none was. */
type LengthMap = ((bytes: number) => number) | null;

/** The whole lines of a record file, masked one by one, so that its size does not matter. A last line without its end gets one. */
async function recordMember(runDir: string, name: string, mask: BundleMask): Promise<{ member: Member | null; lengths: LengthMap }> {
  const file = fileOf(runDir, name);
  if (!(await exists(file))) return { member: null, lengths: null };
  const whole = wholeBytes(file);
  const hash = createHash('sha256');
  let [before, after] = [0, 0];
  const shifts: { before: number; after: number }[] = [];
  for await (const lines of linesOf(file, whole)) {
    for (const line of lines) {
      const masked = mask.line(line);
      before += line.length + 1;
      after += masked.length + 1;
      if (masked.length !== line.length) shifts.push({ before, after });
      hash.update(masked).update(NEWLINE);
    }
  }
  const open = (): Readable => Readable.from(maskedPieces(file, whole, mask), { objectMode: false });
  const lengths = (bytes: number): number => {
    const shift = shifts.findLast((one) => one.before <= bytes);
    return shift ? bytes + shift.after - shift.before : bytes;
  };
  const member = { name, bytes: after, sha256: hash.digest('hex'), open, isStored: false };
  return { member, lengths: shifts.length > 0 ? lengths : null };
}

async function* maskedPieces(file: string, whole: number, mask: BundleMask): AsyncGenerator<Buffer> {
  for await (const lines of linesOf(file, whole)) {
    if (lines.length > 0) yield Buffer.concat(lines.flatMap((line) => [mask.line(line), NEWLINE]));
  }
}

interface CheckpointRules {
  mask: BundleMask;
  /** By record file. */
  moved: ReadonlyMap<string, LengthMap>;
}

/** Tensors as they are, under the hash that their manifest vouches for; state and manifest changed only where they told of paths. */
async function checkpointMembers(runDir: string, manifest: CheckpointManifest, { mask, moved }: CheckpointRules): Promise<Member[]> {
  const { step } = manifest;
  const nameOf = (name: string): string => `checkpoints/step-${step}/${name}`;
  const foreign = manifest.files.find(({ name }) => !isBundled(nameOf(name)) || name === MANIFEST_FILE);
  if (foreign) throw new CheckpointDamage(step, MANIFEST_FILE, `lists ${JSON.stringify(foreign.name)}, which no checkpoint has`);
  const members: Member[] = [];
  for (const { name, bytes, sha256 } of manifest.files) {
    if (name === STATE_FILE) continue;
    const open = (): Readable => createReadStream(fileOf(runDir, nameOf(name)), { highWaterMark: PIECE_BYTES });
    members.push({ name: nameOf(name), bytes, sha256, open, isStored: true });
  }
  const state = await readFile(fileOf(runDir, nameOf(STATE_FILE)));
  const wanted = manifest.files.find(({ name }) => name === STATE_FILE);
  if (!wanted || sha256Of(state) !== wanted.sha256)
    throw new CheckpointDamage(step, STATE_FILE, 'has another SHA-256 than when it was written');
  const masked = textMember(nameOf(STATE_FILE), mask.json(state.toString('utf8')));
  const text = await readFile(fileOf(runDir, nameOf(MANIFEST_FILE)), 'utf8');
  return [...members, masked, textMember(nameOf(MANIFEST_FILE), manifestText(text, masked, moved))];
}

/** The manifest of a checkpoint whose state and records are as in the bundle. */
function manifestText(text: string, state: BundledFile, moved: ReadonlyMap<string, LengthMap>): string {
  const before = JSON.parse(text) as CheckpointManifest;
  const files = before.files.map((file) => (file.name === STATE_FILE ? { ...file, bytes: state.bytes, sha256: state.sha256 } : file));
  const appendLengths = Object.fromEntries(
    Object.entries(before.appendLengths).map(([name, bytes]) => [name, moved.get(name)?.(bytes) ?? bytes]),
  );
  const after = { ...before, files, appendLengths };
  return toJson(after) === toJson(before) ? text : `${toJson({ ...after, sha256: manifestSha256(after) }, 2)}\n`;
}

function textMember(name: string, text: string): Member {
  const content = Buffer.from(text);
  return { name, bytes: content.length, sha256: sha256Of(content), open: () => Readable.from([content]), isStored: false };
}

function sha256Of(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

// ---- the zip ---------------------------------------------------------------------------------------------------------

interface ZipProgress {
  total: number;
  onProgress: BundleOptions['onProgress'];
  signal: AbortSignal | undefined;
}

async function writeZip(
  target: string,
  manifest: BundleManifest,
  members: readonly Member[],
  { total, onProgress, signal }: ZipProgress,
): Promise<void> {
  const zip = new ZipFile();
  const common = { mtime: FIXED_DATE, mode: FILE_MODE, forceDosTimestamp: true };
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    onProgress?.(done, total);
  };
  zip.addBuffer(Buffer.from(`${toJson(manifest, 2)}\n`), 'bundle.json', common);
  for (const member of members) {
    const options = { ...common, compress: !member.isStored, size: member.bytes };
    zip.addReadStreamLazy(`run/${member.name}`, options, (give) => {
      const checked = new CheckedStream(member, onBytes);
      pipeline(member.open(), checked, { signal }).catch((error: unknown) => zip.emit('error', error));
      give(null, checked);
    });
  }
  zip.end();
  const packed = zip.outputStream as Readable;
  zip.on('error', (error: Error) => packed.destroy(error));
  await pipeline(packed, createWriteStream(target, { flags: 'wx', highWaterMark: PIECE_BYTES }), { signal });
  const handle = await open(target, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Passes a member's bytes on and holds them against what bundle.json says of it: a file that changed meanwhile makes no bundle. */
class CheckedStream extends Transform {
  #bytes = 0;
  readonly #hash = createHash('sha256');

  constructor(
    readonly member: Member,
    readonly onBytes: (bytes: number) => void,
  ) {
    super({ highWaterMark: PIECE_BYTES });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
    this.onBytes(chunk.length);
    this.push(chunk);
    done();
  }

  override _flush(done: (error?: Error) => void): void {
    const { name, bytes, sha256 } = this.member;
    const isSame = this.#bytes === bytes && this.#hash.digest('hex') === sha256;
    done(isSame ? undefined : changed(name));
  }
}

/** Tensors are vouched for by their checkpoint; anything else was written anew while it was read. */
function changed(name: string): PreloraError {
  const [, step, file] = /^checkpoints\/step-(\d+)\/(.+\.safetensors)$/.exec(name) ?? [];
  if (step !== undefined && file !== undefined)
    return new CheckpointDamage(Number(step), file, 'has another size or SHA-256 than when it was written');
  return new PreloraError('busy', `${name} changed while it was bundled; try again`);
}
