/**
 * A checkpoint as a folder for Hugging Face, PEFT, timm or ONNX runtimes, checked before it gets its name (formats.md sections 3 to 6, 13, 14): written
 * beside, read back, compared with what the engine computes, renamed. A folder that failed keeps `.unverified` in its name. The run stays
 * as it is.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type ExportContent, type ExportSource, joinContents, jsonText } from '../exchange/exportSource.ts';
import { hfFolder } from '../exchange/hfFolder.ts';
import { gaps, modelCard, snippet } from '../exchange/modelCard.ts';
import { onnxPreprocessing, verifyOnnxFolder, writeOnnxFolder } from '../exchange/onnxFolder.ts';
import { peftAdapter } from '../exchange/peftAdapter.ts';
import { preprocessingOf } from '../exchange/preprocessing.ts';
import type { Layout } from '../exchange/readExport.ts';
import { timmAdapter } from '../exchange/timmAdapter.ts';
import { TIMM_EPS, timmFolder } from '../exchange/timmFolder.ts';
import { verifyFolder } from '../exchange/verifyFolder.ts';
import { contentBytes, writeContent } from '../exchange/writeContent.ts';
import type { ExportCheck, ExportedFile, ExportFormat, ExportReport, ExportSettings } from '../protocol/exports.ts';
import { PreloraError } from '../protocol/reply.ts';
import { renameWithRetries, syncFolder, temporaryName, writeFileAtomically } from '../store/atomicFile.ts';
import { diskFault, systemCode } from '../store/diskFault.ts';
import { requireSpace } from '../store/diskSpace.ts';
import { exists } from '../store/exists.ts';
import { safetensorsBytes } from '../store/safetensors.ts';
import { type CheckpointAt, type RestoredCheckpoint, restoreAt } from './evaluateCheckpoint.ts';
import { comparedTensors, exportedCheckpoint } from './exportedCheckpoint.ts';
import { compareComputed, compareOnnx, comparePixels, type ReferenceLogits, referenceLogits } from './verifyComputing.ts';

export const REPORT_FILE = 'prelora.json';
/** Below a run's folder. */
export const EXPORTS_FOLDER = 'exports';

/** Parts of an export that are checked each by itself, by their folder below it. */
const PARTS: Record<ExportFormat, (settings: ExportSettings) => readonly (readonly [folder: string, layout: Layout | 'onnx'])[]> = {
  hf: () => [['', 'hf']],
  timm: () => [['', 'timm']],
  onnx: () => [['', 'onnx']],
  peft: ({ withMerged, peftBase }) => [
    ['', peftBase === 'timm' ? 'peft-timm' : 'peft'],
    ...(withMerged ? [['merged', peftBase] as const] : []),
  ],
};

/**
 * Writes `out` and says what the checks found. Null is a folder per format and step in the run's own; the same again replaces it, since it can
 * always be made anew from the checkpoint. Throws `bad-arguments` for what the format cannot hold or a place that is taken, `disk-full`,
 * `not-writable`, `not-found` or `checkpoint-damaged`; then nothing is left.
 */
export async function exportCheckpoint({
  out: asked,
  settings,
  ...at
}: CheckpointAt & { out: string | null; settings: ExportSettings }): Promise<ExportReport> {
  if (asked !== null) await checkPlace(asked, settings.force);
  at.say('reading the checkpoint');
  const restored = await restoreAt(at);
  // Named by the step that it holds: which one "last" is may change until it is read.
  const out = asked ?? path.join(at.dir, EXPORTS_FOLDER, `${settings.format}-step-${restored.step}`);
  const source = await exportedCheckpoint(at.dir, restored, settings);
  const content = contentOf(source, settings);
  const beside = `${out}.tmp`;
  for (const left of [beside, `${out}.unverified`]) await removeExport(left);
  try {
    await makeRoom(beside, contentBytes(content) + (settings.format === 'onnx' ? safetensorsBytes(source.merged, {}) : 0));
    at.say('writing the files');
    const files = await writeFiles(beside, content, source, settings.format);
    const checks = await verify({ folder: beside, files, source, restored, settings, say: at.say });
    const status = verdictOf(checks);
    const folder = status === 'failed' ? `${out}.unverified` : out;
    const report = reportOf({ source, settings, files, checks, folder, status });
    await writeFileAtomically(path.join(beside, REPORT_FILE), jsonText(storedReport(source, report, settings)));
    await putInPlace(beside, folder);
    return report;
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
}

/** An empty folder is as good as none. Only an export is ever replaced: what else lies there is the user's, whatever was asked for. */
async function checkPlace(out: string, force: boolean): Promise<void> {
  const names = await namesIn(out);
  if (names.length === 0 || (force && names.includes(REPORT_FILE))) return;
  if (force) throw notAnExport(out);
  throw new PreloraError('bad-arguments', `${out} exists; choose another place, or replace it (--force)`, 'out');
}

/** Removes what an export that was killed left there; a folder of anything else stays, and is told. */
async function removeExport(folder: string): Promise<void> {
  const names = await namesIn(folder);
  if (names.length > 0 && !names.includes(REPORT_FILE)) throw notAnExport(folder);
  await rm(folder, { recursive: true, force: true });
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    if (systemCode(error) === 'ENOTDIR') return ['a file'];
    throw diskFault(error, folder);
  }
}

function notAnExport(folder: string): PreloraError {
  return new PreloraError('bad-arguments', `${folder} exists and is no export; choose another place`, 'out');
}

function contentOf(source: ExportSource, settings: ExportSettings): ExportContent {
  const { format, names, withMerged, peftBase } = settings;
  const card = (kind: Parameters<typeof modelCard>[1]): ExportContent => ({
    texts: new Map([['README.md', modelCard(source, kind, settings)]]),
    tensors: new Map(),
  });
  if (format === 'hf') return joinContents(['', hfFolder(source, source.merged)], ['', card('hf')]);
  if (format === 'onnx') return card('onnx');
  if (format === 'timm') return joinContents(['', timmFolder(source, source.merged)], ['', card('timm')]);
  const whole = peftBase === 'timm' ? timmFolder : hfFolder;
  const merged = withMerged
    ? ([
        ['merged', whole(source, source.merged)],
        ['merged', card(peftBase)],
      ] as const)
    : [];
  return joinContents(
    ['base', whole(source, source.freeze?.parameters ?? source.parameters)],
    ['base', card('base')],
    ['adapter', peftBase === 'timm' ? timmAdapter(source) : peftAdapter(source, names)],
    ['adapter', card('peft')],
    ...merged,
  );
}

async function writeFiles(folder: string, content: ExportContent, source: ExportSource, format: ExportFormat): Promise<ExportedFile[]> {
  const files = await writeContent(folder, content);
  if (format === 'onnx') files.push(...(await writeOnnxFolder(folder, source)));
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Makes the folder, and marks it as an export from the first moment. Throws `disk-full` before anything is written when it would not fit. */
async function makeRoom(folder: string, bytes: number): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomically(path.join(folder, REPORT_FILE), '{}');
    await requireSpace(folder, bytes, { what: `${folder}: the export`, cure: 'free some space, or choose another place' });
  } catch (error) {
    throw diskFault(error, folder);
  }
}

interface ToVerify {
  folder: string;
  files: readonly ExportedFile[];
  source: ExportSource;
  restored: RestoredCheckpoint;
  settings: ExportSettings;
  /** Hears what is being done. */
  say: (message: string) => void;
}

async function verify({ folder, files, source, restored, settings, say }: ToVerify): Promise<ExportCheck[]> {
  const { model } = source.config;
  // A timm folder has no place for another epsilon than timm's: whether that is good enough only logits tell.
  const mustCompute = isTimm(settings) && model.layerNormEps !== TIMM_EPS;
  const computes = settings.verify || mustCompute;
  if (computes) say('computing the logits of the checkpoint');
  const reference = computes ? await referenceLogits(restored, comparedTensors(restored.tensors, settings.weights)) : null;
  const all: ExportCheck[] = [];
  for (const [below, layout] of PARTS[settings.format](settings)) {
    say(`reading back and comparing ${below === '' ? 'every file' : `${below}/`}`);
    const part = { folder: path.join(folder, below), files: filesBelow(files, below), source, say };
    const checks = layout === 'onnx' ? await verifyOnnx(part, reference) : await verifyTensors(part, layout, restored, reference);
    all.push(...checks.map((check) => ({ ...check, what: below === '' ? check.what : `${below}/: ${check.what}` })));
  }
  if (mustCompute && all.some(({ id, status }) => id === 'V4' && status === 'failed')) {
    const instead = settings.format === 'timm' ? '--to hf or onnx' : '--peft-base hf';
    const rule = `layerNormEps ${model.layerNormEps} cannot be written in a timm folder; use ${instead}`;
    throw new PreloraError('bad-arguments', rule, 'model.layerNormEps');
  }
  return all;
}

function isTimm({ format, peftBase }: ExportSettings): boolean {
  return format === 'timm' || (format === 'peft' && peftBase === 'timm');
}

function filesBelow(files: readonly ExportedFile[], folder: string): ExportedFile[] {
  if (folder === '') return [...files];
  return files.filter(({ name }) => name.startsWith(`${folder}/`)).map((file) => ({ ...file, name: file.name.slice(folder.length + 1) }));
}

type Part = Pick<ToVerify, 'folder' | 'files' | 'source' | 'say'>;

async function verifyTensors(
  { folder, files, source, say }: Part,
  layout: Layout,
  restored: RestoredCheckpoint,
  reference: ReferenceLogits | null,
): Promise<ExportCheck[]> {
  const { checks, read } = await verifyFolder(folder, layout, source, files);
  if (!read || !reference) return checks;
  say('computing the logits of the files');
  return [...checks, compareComputed(restored, reference, read), await comparePixels(source.config, read.preprocessing)];
}

async function verifyOnnx({ folder, files, source, say }: Part, reference: ReferenceLogits | null): Promise<ExportCheck[]> {
  const checks = await verifyOnnxFolder(folder, source, files);
  if (!reference || checks.some(({ status }) => status === 'failed')) return checks;
  say('computing the logits of the files');
  const logits = await compareOnnx(folder, source.config, reference);
  return [...checks, logits, await comparePixels(source.config, await onnxPreprocessing(folder))];
}

function verdictOf(checks: readonly ExportCheck[]): ExportReport['status'] {
  if (checks.some(({ status }) => status === 'failed')) return 'failed';
  const isWhole = ['V4', 'V5'].every((id) => checks.some((check) => check.id === id && check.status === 'passed'));
  return isWhole ? 'passed' : 'partial';
}

type Written = Pick<ExportReport, 'files' | 'checks' | 'folder' | 'status'> & { source: ExportSource; settings: ExportSettings };

function reportOf({ source, settings, files, checks, folder, status }: Written): ExportReport {
  const { format } = settings;
  const { step, epoch, phase } = source.checkpoint;
  const code = snippet(source, format, settings, folder);
  // The model card is Markdown; here they are read as they are.
  const notes = gaps(source, format, settings).map((note) => note.replaceAll('`', ''));
  return { format, folder, step, epoch, phase, status, checks, files, snippet: code, notes };
}

/** What lies in the folder as prelora.json (formats.md section 13). */
function storedReport(source: ExportSource, report: ExportReport, settings: ExportSettings): Record<string, unknown> {
  const { format, files, status, checks } = report;
  const { names, peftBase, baseWeights } = settings;
  return {
    schema: 1,
    format,
    names: isTimm(settings) ? 'timm' : format === 'peft' ? names : format === 'hf' ? 'classic' : format,
    ...(format === 'peft' ? { base: { format: peftBase, weights: baseWeights, step: source.freeze?.step ?? source.checkpoint.step } } : {}),
    run: source.run,
    checkpoint: source.checkpoint,
    // Where its start weights lay is no business of whoever gets the folder.
    model: { ...source.config.model, startFrom: null },
    classes: source.classes,
    preprocessing: preprocessingOf(source.config),
    adapters: Object.fromEntries(source.adapters),
    files,
    verify: { status, checks },
  };
}

/** What lies at `folder`, an export or nothing, is moved aside until the new one stands, then removed. */
async function putInPlace(beside: string, folder: string): Promise<void> {
  const aside = temporaryName(folder);
  const isTaken = await exists(folder);
  if (isTaken) await renameWithRetries(folder, aside);
  try {
    await renameWithRetries(beside, folder);
  } catch (error) {
    if (isTaken) await rename(aside, folder);
    throw error;
  }
  await syncFolder(path.dirname(folder));
  await rm(aside, { recursive: true, force: true });
}
