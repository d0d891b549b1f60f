/**
 * layers.csv: every number about every module in long form, a row each, with the rules of summary.csv: CRLF line ends, `nan` and `inf`, never quoted
 * (formats.md section 10). What was not measured has no row. Ranks and alphas stand once, at the switch, in the phase that begins there.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { RanksFile, SnapshotRecord } from '../protocol/records.ts';
import { renameWithRetries, syncFolder, temporaryName } from '../store/atomicFile.ts';
import { diskFault } from '../store/diskFault.ts';
import { readConfig, readLineage, readRanks, readStatus, streamRecords } from '../store/runFolder.ts';
import { formatNumber } from '../store/summaryCsv.ts';

export const LAYERS_FILE = 'layers.csv';

const HEADER = 'step,epoch,phase,module,metric,value';
const NORMS = ['weightNorm', 'gradNorm', 'displacement'] as const;
const PIECE_CHARACTERS = 1 << 20;

/**
 * Writes the file, which appears when it is complete, and returns the number of its rows without the header. Throws `not-found` when `runDir` is
 * no run, `run-damaged` naming file and line, `disk-full` or `not-writable`.
 */
export async function writeLayersCsv(runDir: string, file: string): Promise<{ rows: number }> {
  await readConfig(runDir);
  const beside = temporaryName(file);
  try {
    const handle = await open(beside, 'wx');
    let rows: number;
    try {
      rows = await writeRows(handle, layerRows(runDir));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await renameWithRetries(beside, file);
    await syncFolder(path.dirname(file));
    return { rows };
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw diskFault(error, file);
  }
}

async function writeRows(handle: FileHandle, rows: AsyncIterable<string[]>): Promise<number> {
  let piece = `${HEADER}\r\n`;
  let count = 0;
  for await (const group of rows) {
    piece += group.map((row) => `${row}\r\n`).join('');
    count += group.length;
    if (piece.length < PIECE_CHARACTERS) continue;
    await handle.appendFile(piece);
    piece = '';
  }
  await handle.appendFile(piece);
  return count;
}

/** Rows of a snapshot or of the switch, in the order of steps. */
async function* layerRows(runDir: string): AsyncGenerator<string[], void, undefined> {
  const isLive = await readLineage(runDir);
  let plan = await readRanks(runDir);
  const stepsPerEpoch = (await readStatus(runDir))?.stepsPerEpoch ?? 0;
  for await (const snapshot of streamRecords(runDir, 'snapshots')) {
    if (!isLive(snapshot)) continue;
    if (plan && snapshot.step > plan.step) {
      yield rankRows(plan, stepsPerEpoch);
      plan = null;
    }
    yield normRows(snapshot);
  }
  if (plan) yield rankRows(plan, stepsPerEpoch);
}

function normRows({ step, epoch, phase, modules }: SnapshotRecord): string[] {
  return Object.entries(modules).flatMap(([module, norms]) =>
    NORMS.flatMap((metric) => {
      const value = norms[metric];
      return value === null ? [] : [row({ step, epoch, phase, module, metric, value })];
    }),
  );
}

/** Rank 0 is no adapter, which has no alpha. */
function rankRows({ step, modules }: RanksFile, stepsPerEpoch: number): string[] {
  const place = { step, epoch: stepsPerEpoch > 0 ? step / stepsPerEpoch : null, phase: 'warmup' };
  return modules.flatMap(({ module, rank, alpha }) => [
    row({ ...place, module, metric: 'rank', value: rank }),
    ...(rank > 0 ? [row({ ...place, module, metric: 'alpha', value: alpha })] : []),
  ]);
}

interface Row {
  step: number;
  /** Null where nobody knows how long an epoch is. */
  epoch: number | null;
  phase: string;
  module: string;
  metric: string;
  value: number;
}

function row({ step, epoch, phase, module, metric, value }: Row): string {
  return [step, formatNumber(epoch), phase, module, metric, formatNumber(value)].join(',');
}
