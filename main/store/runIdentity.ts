/** Gives a copy of a run an id of its own, wherever its files tell the old one, so that the two never answer for each other. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointManifest } from '../protocol/runFiles.ts';
import { writeFileAtomically, writeJsonAtomically } from './atomicFile.ts';
import { checkpointFolder, MANIFEST_FILE, manifestSha256 } from './checkpoint.ts';
import { listCheckpoints } from './checkpointFolder.ts';
import { readManifest } from './checkpointReading.ts';
import { parseJson, toJson } from './json.ts';
import { CREATED_EVENT, RECORD_FILES, recordFile, STATUS_FILE } from './runFolder.ts';

/** Nobody else may know the run in `dir` yet. Broken checkpoints keep the old id: they are refused anyway. */
export async function giveRunId(dir: string, runId: string): Promise<void> {
  const status = parseJson(await readFile(path.join(dir, STATUS_FILE), 'utf8').catch(() => ''));
  if (typeof status === 'object' && status !== null) await writeJsonAtomically(path.join(dir, STATUS_FILE), { ...status, runId });
  const shift = await renameInJournal(dir, runId);
  const { checkpoints } = await listCheckpoints(dir);
  for (const { step } of checkpoints) {
    const manifest = await readManifest(dir, step);
    const events = RECORD_FILES.events.name;
    const appendLengths = { ...manifest.appendLengths };
    if (appendLengths[events]) appendLengths[events] += shift;
    await writeManifest(dir, { ...manifest, runId, appendLengths });
  }
}

/** The first record names the run, and from now on also the one it is a copy of. Gives back by how many bytes the journal grew. */
async function renameInJournal(dir: string, runId: string): Promise<number> {
  const file = recordFile(dir, 'events');
  const text = await readFile(file, 'utf8').catch(() => '');
  const end = text.indexOf('\n');
  const first = parseJson(text.slice(0, Math.max(0, end)));
  const { kind, detail } = (first ?? {}) as { kind?: unknown; detail?: { runId?: unknown } };
  if (kind !== CREATED_EVENT) return 0;
  const renamed = toJson({ ...(first as object), detail: { ...detail, runId, importedFrom: detail?.runId } });
  await writeFileAtomically(file, renamed + text.slice(end));
  return Buffer.byteLength(renamed) - Buffer.byteLength(text.slice(0, end));
}

async function writeManifest(dir: string, manifest: CheckpointManifest): Promise<void> {
  const file = path.join(checkpointFolder(dir, manifest.step), MANIFEST_FILE);
  await writeJsonAtomically(file, { ...manifest, sha256: manifestSha256(manifest) });
}
