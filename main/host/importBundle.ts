/** Puts the run of a bundle among the runs: unpacked beside and checked, then renamed. Never over another, and never as another's double. */
import { randomUUID } from 'node:crypto';
import { referenceWords } from '../protocol/dataReference.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { ImportedRun } from '../protocol/results.ts';
import { renameWithRetries, syncFolder } from '../store/atomicFile.ts';
import { findNamedPlace } from '../store/bundlePlaces.ts';
import { type UnpackedBundle, type UnpackOptions, unpackBundle } from '../store/bundleReading.ts';
import { readConfig } from '../store/runFolder.ts';
import { readRunId } from '../store/runId.ts';
import { giveRunId } from '../store/runIdentity.ts';
import { type RunCatalog, readAnnotations } from './runCatalog.ts';

/** Throws what `unpackBundle` throws, or `unsafe-bundle` for a config that is none; then nothing is left of it. */
export async function importBundle(catalog: RunCatalog, file: string, options: UnpackOptions = {}): Promise<ImportedRun> {
  const unpacked = await unpackBundle(file, catalog.root, options);
  try {
    return await putAmongRuns(catalog, file, unpacked);
  } finally {
    await unpacked.discard();
  }
}

async function putAmongRuns(catalog: RunCatalog, file: string, { runDir, manifest, notes }: UnpackedBundle): Promise<ImportedRun> {
  const config = await readConfig(runDir).catch((error: Error) => {
    throw new PreloraError('unsafe-bundle', `${file}: ${error.message.replace(runDir, 'run')}`, 'file');
  });
  const place = await findNamedPlace(runDir);
  if (place)
    throw new PreloraError(
      'unsafe-bundle',
      `${file}: run/${place.file}: ${place.field} names a place; a bundle tells what its data was`,
      'file',
    );
  const taken = await catalog.takenIds();
  const own = await readRunId(runDir);
  const isDouble = taken.has(own) || taken.has(manifest.runId);
  const runId = isDouble ? randomUUID() : own;
  if (isDouble) await giveRunId(runDir, runId);
  const name = (await readAnnotations(runDir)).name ?? config.name;
  const folder = await catalog.newFolder(name.replace(/^[.\s]+/, '') || 'imported');
  await renameWithRetries(runDir, folder);
  await syncFolder(catalog.root);
  return {
    // Without journal and status a run is known by its folder.
    runId: await readRunId(folder),
    name,
    folder,
    notes: [
      ...notes,
      ...(isDouble ? [`a run ${own} is here already: this one goes by ${runId}`] : []),
      ...whatIsMissing(config, manifest.weights),
    ],
  };
}

function whatIsMissing({ data }: { data: { source: string } }, weights: string): string[] {
  const missing = referenceWords(data.source);
  return [
    ...(weights === 'none' ? ['it came without weights: there is nothing to evaluate or to go on from'] : []),
    ...(missing === null ? [] : [`its data did not come along (${missing}): name it before evaluating or resuming`]),
  ];
}
