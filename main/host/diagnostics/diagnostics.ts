/**
 * What to send along with a report of a fault (product.md section 2.11): program, machine, engines, the newest log lines, and one run's config,
 * journal and last numbers. Masked, and made of texts alone, so that everything can be read before it is sent: no images, no weights.
 */
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { engineStatus } from '../../engine/install.ts';
import { nvidiaDevices } from '../../engine/tensorflow.ts';
import type { DiagnosticsFile } from '../../protocol/results.ts';
import { parseJson } from '../../store/json.ts';
import { resourcesFolder } from '../../store/paths.ts';
import { programVersion } from '../../store/programVersion.ts';
import { CONFIG_FILE, DATA_REPORT_FILE, RECORD_FILES, type RecordKind, recordFile, STATUS_FILE } from '../../store/runFolder.ts';
import { readLogTail } from './hostLog.ts';
import { createMask, type Mask } from './masking.ts';

const LOG_LINES = 400;
/** The newest lines of each record file; the journal tells the story, the others where it stands. */
const RECORD_LINES: Readonly<Record<RecordKind, number>> = { events: 1000, epochs: 200, metrics: 100, snapshots: 4 };
/** Settings from outside that change what the program does. */
const TOLD_VARIABLES = /^(PRELORA_|TF_|CUDA_|OMP_|MALLOC_|LD_LIBRARY_PATH$|XDG_DATA_HOME$)/;
const SECRET_VARIABLES = /TOKEN|KEY|SECRET|PASSWORD/;

export interface DiagnosticsScope {
  dataRoot: string;
  /** Folder of the run to tell of, or null for none. */
  runDir: string | null;
  host: 'desktop' | 'browser' | 'command line';
}

/** Never throws for what is damaged: that is just when it is wanted. */
export async function collectDiagnostics({ dataRoot, runDir, host }: DiagnosticsScope): Promise<DiagnosticsFile[]> {
  const mask = createMask(secretsOf(dataRoot, runDir));
  const files = [
    { name: 'about.json', text: json(mask.value(await describeSurroundings(dataRoot, host))) },
    { name: 'log.txt', text: mask.text(readLogTail(dataRoot, LOG_LINES)) },
    ...(runDir === null ? [] : await describeRun(runDir, mask)),
  ];
  return files.filter(({ text }) => text.trim() !== '');
}

/** The files as one zip. */
export function zipDiagnostics(files: readonly DiagnosticsFile[]): Uint8Array {
  return zipSync(Object.fromEntries(files.map(({ name, text }) => [name, strToU8(text)])));
}

export function diagnosticsFileName(now: Date): string {
  return `prelora-diagnostics-${now.toISOString().slice(0, 16).replaceAll(/[-:]/g, '').replace('T', '-')}.zip`;
}

function secretsOf(dataRoot: string, runDir: string | null): Parameters<typeof createMask>[0] {
  const programRoot = path.join(resourcesFolder(), '..');
  const folders = [
    ...(runDir === null ? [] : [{ folder: path.resolve(runDir), word: '<run>' }]),
    { folder: dataRoot, word: '<data>' },
    { folder: programRoot, word: '<program>' },
  ];
  return { home: os.homedir(), userName: userName(), hostName: os.hostname(), folders };
}

/** Accounts without an entry in the user list have none. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return '';
  }
}

async function describeSurroundings(dataRoot: string, host: DiagnosticsScope['host']): Promise<object> {
  const { node, electron, chrome } = process.versions;
  const [processor] = os.cpus();
  const disk = await statfs(dataRoot).catch(() => null);
  return {
    program: { version: await programVersion(), host },
    runtime: { node, electron, chrome },
    system: { platform: process.platform, arch: process.arch, release: os.release() },
    processor: { model: processor?.model, cores: os.availableParallelism() },
    memory: { totalBytes: os.totalmem(), freeBytes: os.freemem() },
    disk: disk && { dataRoot, freeBytes: disk.bavail * disk.bsize },
    gpus: nvidiaDevices(),
    engines: engineStatus(),
    environment: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => TOLD_VARIABLES.test(name) && !SECRET_VARIABLES.test(name)),
    ),
  };
}

async function describeRun(dir: string, mask: Mask): Promise<DiagnosticsFile[]> {
  const kinds = Object.keys(RECORD_LINES) as RecordKind[];
  const single = [CONFIG_FILE, STATUS_FILE, DATA_REPORT_FILE].map(async (name) => ({
    name: `run/${name}`,
    text: maskJson(await textOf(path.join(dir, name)), mask),
  }));
  const records = kinds.map(async (kind) => ({
    name: `run/${RECORD_FILES[kind].name}`,
    text: maskLines(await textOf(recordFile(dir, kind)), RECORD_LINES[kind], mask),
  }));
  return [...(await Promise.all([...single, ...records])), { name: 'run/files.txt', text: mask.text(await listFiles(dir)) }];
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

/** The name of a run is its user's own word. What is no JSON is masked as prose. */
function maskJson(text: string, mask: Mask): string {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) return mask.text(text);
  const masked = mask.value(value) as Record<string, unknown>;
  return json('name' in masked ? { ...masked, name: '<name>' } : masked);
}

function maskLines(text: string, most: number, mask: Mask): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(-most)
    .map((line) => {
      const value = parseJson(line);
      return value === undefined ? mask.text(line) : JSON.stringify(mask.value(value));
    });
  return lines.join('\n');
}

/** Names and sizes: a missing or empty file is often the whole story. */
async function listFiles(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const lines = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      return `${String((await stat(file).catch(() => null))?.size ?? 0).padStart(12)}  ${path.relative(dir, file)}`;
    });
  return (await Promise.all(lines)).sort((a, b) => a.slice(14).localeCompare(b.slice(14))).join('\n');
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
