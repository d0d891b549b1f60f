/** An export for ONNX runtimes: what is written from a checkpoint, and its checks V1 to V3, with the preprocessing that its metadata tell. */
import path from 'node:path';
import type { ExportCheck, ExportedFile } from '../protocol/exports.ts';
import { parseJson } from '../store/json.ts';
import type { ExportSource } from './exportSource.ts';
import { checkOnnx } from './onnxCheck.ts';
import { MODEL_FILE, type OnnxSource, writeOnnx } from './onnxFile.ts';
import { readOnnx } from './onnxReading.ts';
import { type Preprocessing, preprocessingOf, type ReadPreprocessing, readPreprocessing } from './preprocessing.ts';
import { check, compareFiles } from './verifyFolder.ts';

/** Throws `disk-full`, `not-writable`, or `bad-arguments` for a class name that a line of labels.txt cannot hold. */
export function writeOnnxFolder(folder: string, source: ExportSource): Promise<ExportedFile[]> {
  return writeOnnx(folder, onnxSource(source));
}

function onnxSource({ config, merged, classes, run, checkpoint }: ExportSource): OnnxSource {
  const metadata = { classes, preprocessing: preprocessingOf(config), run: { ...run, checkpoint } };
  return { model: config.model, tensors: merged, classes, metadata };
}

/** As `verifyFolder` for the other formats. */
export async function verifyOnnxFolder(folder: string, source: ExportSource, files: readonly ExportedFile[]): Promise<ExportCheck[]> {
  const sums = await check('V1', 'sizes and SHA-256 of the files', () => compareFiles(folder, files));
  if (sums.status === 'failed') return [sums];
  const [readBack, ...others] = await checkOnnx(folder, onnxSource(source));
  return [readBack?.status === 'passed' ? { ...sums, detail: `${sums.detail}, ${readBack.detail}` } : (readBack ?? sums), ...others];
}

/** What the metadata say of the pixels; null where they say nothing. */
export async function onnxPreprocessing(folder: string): Promise<ReadPreprocessing | null> {
  const { metadata } = await readOnnx(path.join(folder, MODEL_FILE));
  const said = parseJson(metadata.get('prelora.preprocessing') ?? 'null') as Preprocessing | null | undefined;
  return said ? readPreprocessing(said) : null;
}
