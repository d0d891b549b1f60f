/**
 * Reading a run bundle, which begins with distrust: names, kinds and sizes of all members are looked at before a byte is unpacked, each file is
 * held against what bundle.json declares while it is, and only files that a run has are written (formats.md section 12, "Bundle"). What is
 * refused is told in one sentence with file, member and rule. Unpacked beside the runs; putting it among them is the caller's.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { BUNDLE_ENDING, BUNDLE_VERSION, type BundledFile, BundleManifest } from '../protocol/bundle.ts';
import { PreloraError } from '../protocol/reply.ts';
import { temporaryName } from './atomicFile.ts';
import { isBundled } from './bundleFiles.ts';
import { isLeftOver } from './checkpointFolder.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { requireSpace } from './diskSpace.ts';
import { firstIssue, parseJson } from './json.ts';
import { CONFIG_FILE } from './runFolder.ts';

const MANIFEST_NAME = 'bundle.json';
const RUN_PREFIX = 'run/';
const MOST_ENTRIES = 100_000;
const MOST_TIMES_SMALLER = 1000;
/** 100,000 files at 300 bytes each. */
const MANIFEST_BYTES = 32 * 2 ** 20;
/** Begins every zip; the name of its first member stands 26 bytes behind. */
const LOCAL_HEADER = Buffer.from([0x50, 0x4b, 0x03, 0x04]);
const LOCAL_HEADER_BYTES = 30;
/** Of the mode that Unix zips keep in the upper half of the attributes. */
const KIND_OF_FILE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;
const STORED = 0;
const DEFLATED = 8;
const IS_ENCRYPTED = 1;
const UNPACKING = 'import';

export interface UnpackOptions {
  /** Bytes that are unpacked so far, of all. */
  onProgress?: (bytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface UnpackedBundle {
  /** Holds the run; a folder of ours that is to be renamed or removed. */
  runDir: string;
  manifest: BundleManifest;
  notes: string[];
  /** Removes what is still there. */
  discard(): Promise<void>;
}

/** Whether `file` is a run bundle, told by its first member, or by its name where it is damaged. */
export async function isBundle(file: string): Promise<boolean> {
  if (file.toLowerCase().endsWith(BUNDLE_ENDING)) return true;
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return false;
  try {
    const head = Buffer.alloc(LOCAL_HEADER_BYTES + MANIFEST_NAME.length);
    await handle.read(head, 0, head.length, 0);
    return head.subarray(0, LOCAL_HEADER.length).equals(LOCAL_HEADER) && head.toString('latin1', LOCAL_HEADER_BYTES) === MANIFEST_NAME;
  } catch {
    return false; // a folder
  } finally {
    await handle.close();
  }
}

/**
 * Unpacks the bundle into a temporary folder in `parent`. Throws `not-found`, `unsafe-bundle` with member and rule, `disk-full`,
 * `not-writable`, `interrupted` after an abort; then nothing is left of it.
 */
export async function unpackBundle(file: string, parent: string, options: UnpackOptions = {}): Promise<UnpackedBundle> {
  await mkdir(parent, { recursive: true });
  await removeLeftOvers(parent);
  const zip = await openZip(file);
  const folder = temporaryName(path.join(parent, UNPACKING));
  const discard = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const entries = await checkedEntries(zip, file);
    const manifest = await readManifest(zip, entries, file);
    const { members, notes } = membersOf(entries, manifest, file);
    const total = members.reduce((sum, { bytes }) => sum + bytes, 0);
    await requireSpace(parent, total, { what: `${parent}: ${path.basename(file)}`, cure: 'free some space and import it again' });
    let done = 0;
    const onBytes = (bytes: number): void => {
      done += bytes;
      options.onProgress?.(done, total);
    };
    for (const member of members) await unpackMember(zip, member, { folder, file, onBytes, signal: options.signal });
    return { runDir: path.join(folder, 'run'), manifest, notes, discard };
  } catch (error) {
    await discard();
    if (options.signal?.aborted) throw new PreloraError('interrupted', `${file}: importing was cancelled; nothing is left of it`);
    throw diskFault(error, parent);
  } finally {
    zip.close();
  }
}

/** Of imports that were killed. */
async function removeLeftOvers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith(`.${UNPACKING}.`) && isLeftOver(name)) await rm(path.join(parent, name), { recursive: true, force: true });
  }
}

async function openZip(file: string): Promise<ZipFile> {
  try {
    // Names are decoded here, to be refused in our own words.
    return await openPromise(file, { lazyEntries: true, autoClose: false, decodeStrings: false });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new PreloraError('not-found', `${file}: no such file`, 'file');
    throw systemCode(error) === undefined ? damaged(file, error) : diskFault(error, file);
  }
}

// ---- what is in it ---------------------------------------------------------------------------------------------------

/** Name → entry, all fit to be unpacked as far as the directory tells. Folders are left out: they come with their files. */
async function checkedEntries(zip: ZipFile, file: string): Promise<Map<string, Entry>> {
  if (zip.entryCount > MOST_ENTRIES) throw unsafe(file, 'the directory', `has ${zip.entryCount} entries, more than ${MOST_ENTRIES}`);
  const entries = new Map<string, Entry>();
  const folded = new Set<string>();
  for await (const { name, entry } of namedEntries(zip, file)) {
    const fault = nameFault(name) ?? kindFault(entry) ?? sizeFault(entry);
    if (fault !== null) throw unsafe(file, name, fault);
    const key = name.normalize('NFC').toLowerCase();
    if (folded.has(key)) throw unsafe(file, name, 'is there twice, capital letters not counted');
    folded.add(key);
    if (!name.endsWith('/')) entries.set(name, entry);
  }
  return entries;
}

async function* namedEntries(zip: ZipFile, file: string): AsyncGenerator<{ name: string; entry: Entry }> {
  try {
    for await (const entry of zip.eachEntry()) {
      const raw = entry.fileName as unknown as Buffer;
      yield { name: getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, true), entry };
    }
  } catch (error) {
    throw error instanceof PreloraError ? error : damaged(file, error);
  }
}

function nameFault(name: string): string | null {
  if (name.includes('\\')) return 'has a backslash in its name';
  if (name.includes('\0')) return 'has a zero byte in its name';
  if (name.startsWith('/')) return 'has an absolute name';
  if (/^[A-Za-z]:/.test(name)) return 'has a drive letter in its name';
  if (name.split('/').some((part) => part === '..' || part === '.')) return 'leads out of its folder by its name';
  if (name === '' || name.includes('//')) return 'has an empty part in its name';
  return null;
}

/** Links, devices and the like are told by the mode that Unix zips keep; zips of other systems have none. */
function kindFault({ externalFileAttributes, compressionMethod, generalPurposeBitFlag }: Entry): string | null {
  const kind = (externalFileAttributes >>> 16) & KIND_OF_FILE;
  if (kind !== 0 && kind !== REGULAR && kind !== FOLDER) return 'is a link or a device, not a file';
  if (generalPurposeBitFlag & IS_ENCRYPTED) return 'is encrypted';
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED) return `has compression method ${compressionMethod}`;
  return null;
}

function sizeFault({ compressedSize, uncompressedSize }: Entry): string | null {
  if (uncompressedSize <= MOST_TIMES_SMALLER * compressedSize) return null;
  return `unpacks ${compressedSize} bytes to ${uncompressedSize}, more than ${MOST_TIMES_SMALLER}:1`;
}

async function readManifest(zip: ZipFile, entries: ReadonlyMap<string, Entry>, file: string): Promise<BundleManifest> {
  const [first] = entries;
  if (first?.[0] !== MANIFEST_NAME) throw unsafe(file, MANIFEST_NAME, 'is not the first member: this is no run bundle');
  if (first[1].uncompressedSize > MANIFEST_BYTES) throw unsafe(file, MANIFEST_NAME, `has more than ${MANIFEST_BYTES} bytes`);
  const pieces: Buffer[] = [];
  for await (const piece of await openMember(zip, first[1], { file, name: MANIFEST_NAME })) pieces.push(piece as Buffer);
  const value = parseJson(Buffer.concat(pieces).toString('utf8'));
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format === 'prelora-bundle' && typeof version === 'number' && version > BUNDLE_VERSION)
    throw unsafe(file, MANIFEST_NAME, `is version ${version}, this program reads up to ${BUNDLE_VERSION}`);
  const parsed = BundleManifest.safeParse(value);
  if (!parsed.success) throw unsafe(file, MANIFEST_NAME, firstIssue(parsed.error.issues));
  return parsed.data;
}

interface Member extends BundledFile {
  entry: Entry;
}

/** What bundle.json declares, each with its entry. A file that no run of this version has stays in the zip, and is told. */
function membersOf(entries: ReadonlyMap<string, Entry>, { files }: BundleManifest, file: string): { members: Member[]; notes: string[] } {
  const declared = new Set(files.map(({ name }) => name));
  if (declared.size < files.length) throw unsafe(file, MANIFEST_NAME, 'declares a file twice');
  for (const name of entries.keys()) {
    if (name !== MANIFEST_NAME && !declared.has(name)) throw unsafe(file, name, `is not declared in ${MANIFEST_NAME}`);
  }
  const members = files.map((declaration): Member => {
    const entry = entries.get(declaration.name);
    if (!entry) throw unsafe(file, declaration.name, 'is declared, but not there');
    if (entry.uncompressedSize !== declaration.bytes)
      throw unsafe(file, declaration.name, `unpacks to ${entry.uncompressedSize} bytes, ${MANIFEST_NAME} declares ${declaration.bytes}`);
    return { ...declaration, entry };
  });
  const isKnown = ({ name }: Member): boolean => name.startsWith(RUN_PREFIX) && isBundled(name.slice(RUN_PREFIX.length));
  if (!members.some(({ name }) => name === RUN_PREFIX + CONFIG_FILE)) throw unsafe(file, RUN_PREFIX + CONFIG_FILE, 'is missing');
  const notes = members
    .filter((member) => !isKnown(member))
    .map(({ name }) => `${name} is left out: no run of this version has such a file`);
  return { members: members.filter(isKnown), notes };
}

// ---- unpacking -------------------------------------------------------------------------------------------------------

interface Unpacking {
  folder: string;
  file: string;
  onBytes: (bytes: number) => void;
  signal: AbortSignal | undefined;
}

/** Names are ours by now (`isBundled`): letters, digits, and folders that a run has. */
async function unpackMember(zip: ZipFile, member: Member, { folder, file, onBytes, signal }: Unpacking): Promise<void> {
  const target = path.join(folder, ...member.name.split('/'));
  await mkdir(path.dirname(target), { recursive: true });
  const source = await openMember(zip, member.entry, { file, name: member.name });
  const checked = new DeclaredBytes(member, file, onBytes);
  try {
    await pipeline(source, checked, createWriteStream(target, { flags: 'wx' }), { signal });
  } catch (error) {
    throw error instanceof PreloraError || systemCode(error)?.startsWith('E') ? error : unsafe(file, member.name, (error as Error).message);
  }
}

async function openMember(zip: ZipFile, entry: Entry, { file, name }: { file: string; name: string }): Promise<Readable> {
  try {
    return await zip.openReadStreamPromise(entry);
  } catch (error) {
    throw unsafe(file, name, (error as Error).message);
  }
}

/** Passes bytes on as long as they are no more than declared, and ends well when they have the declared SHA-256. */
class DeclaredBytes extends Transform {
  #bytes = 0;
  readonly #hash = createHash('sha256');

  constructor(
    readonly declared: BundledFile,
    readonly file: string,
    readonly onBytes: (bytes: number) => void,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null, chunk?: Buffer) => void): void {
    const { name, bytes } = this.declared;
    this.#bytes += chunk.length;
    if (this.#bytes > bytes) {
      done(unsafe(this.file, name, `unpacks to more than the ${bytes} bytes declared`));
      return;
    }
    this.#hash.update(chunk);
    this.onBytes(chunk.length);
    done(null, chunk);
  }

  override _flush(done: (error?: Error | null) => void): void {
    const { name, bytes, sha256 } = this.declared;
    if (this.#bytes !== bytes) done(unsafe(this.file, name, `unpacks to ${this.#bytes} bytes, ${bytes} are declared`));
    else done(this.#hash.digest('hex') === sha256 ? null : unsafe(this.file, name, `has another SHA-256 than ${MANIFEST_NAME} declares`));
  }
}

function unsafe(file: string, member: string, rule: string): PreloraError {
  return new PreloraError('unsafe-bundle', `${file}: ${member}: ${rule}`, 'file');
}

function damaged(file: string, error: unknown): PreloraError {
  return unsafe(file, 'the zip', `is damaged, or none: ${(error as Error).message}`);
}
