/** Reads runs to be compared (core/comparison.ts) from their folders. */
import { compare, comparedRun, type ReadRun } from '../core/comparison.ts';
import type { Comparison } from '../protocol/comparison.ts';
import { currentConfig } from '../store/currentConfig.ts';
import { readConfig, readRanks, readRecords, readStatus } from '../store/runFolder.ts';
import { readAnnotations } from './runCatalog.ts';

/** `atStep` is where valTop1AtStep is read. Throws `not-found` or `run-damaged`, naming the folder. */
export async function compareRuns(dirs: readonly string[], atStep: number | null = null): Promise<Comparison> {
  return compare(await Promise.all(dirs.map(readComparedRun)), atStep);
}

/** One run's figures, and its config with all edits. */
export async function readComparedRun(runDir: string): Promise<ReadRun> {
  return comparedRun({
    runDir,
    config: currentConfig(await readConfig(runDir), await readRecords(runDir, 'events')),
    status: await readStatus(runDir),
    epochs: await readRecords(runDir, 'epochs'),
    share: (await readRanks(runDir))?.share ?? null,
    variant: (await readAnnotations(runDir)).study?.variant ?? null,
  });
}
