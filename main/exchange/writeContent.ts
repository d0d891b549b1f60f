/** Puts the contents of an export into a folder, each file whole and on the disk, with its size and SHA-256. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { ExportedFile } from '../protocol/exports.ts';
import { writeNewText } from '../store/newFile.ts';
import { safetensorsBytes, TORCH_METADATA, writeSafetensors } from '../store/safetensors.ts';
import type { ExportContent } from './exportSource.ts';

/** Bytes that `writeContent` will write. */
export function contentBytes({ texts, tensors }: ExportContent): number {
  const parts = [
    ...[...texts.values()].map((text) => Buffer.byteLength(text)),
    ...[...tensors.values()].map((own) => safetensorsBytes(own, TORCH_METADATA)),
  ];
  return parts.reduce((sum, bytes) => sum + bytes, 0);
}

/** Into `folder`, which must not hold any of the files. Throws `disk-full` or `not-writable`. */
export async function writeContent(folder: string, { texts, tensors }: ExportContent): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  for (const [name, own] of tensors) {
    const file = await placeOf(folder, name);
    files.push({ name, ...(await writeSafetensors(file, own, TORCH_METADATA)) });
  }
  for (const [name, text] of texts) files.push({ name, ...(await writeNewText(await placeOf(folder, name), text)) });
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function placeOf(folder: string, name: string): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  return file;
}
