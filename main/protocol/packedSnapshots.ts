/**
 * A run's snapshots as messages carry them: a short head each, and all norms as numbers in base64. As records of records, 5,000
 * snapshots of 144 modules are 70 MB of JSON; packed they are 23 MB of plain text, sent piece by piece (recordPieces.ts). Base64 itself is handed in: Node and browsers have different words for it.
 */
import './jitless.ts';
import { z } from 'zod';
import { AnyNumber, ModuleNorms, SnapshotRecord } from './records.ts';

export const SnapshotHead = SnapshotRecord.pick({ step: true, epoch: true, phase: true, segment: true }).extend({
  loss: AnyNumber.nullable(),
});
export type SnapshotHead = z.output<typeof SnapshotHead>;

export const PackedSnapshots = z.object({
  /** Order of the modules within a snapshot. */
  modules: z.array(z.string()),
  heads: z.array(SnapshotHead),
  /** Little-endian float64, `NORMS` per module and snapshot, NaN for what is missing; `PIECE` snapshots in each text. */
  pieces: z.array(z.string()),
});
export type PackedSnapshots = z.output<typeof PackedSnapshots>;

/** What is kept per module, in this order. */
export const NORMS = ModuleNorms.keyof().options;
/** Snapshots per piece: small enough to unpack between two frames. */
export const PIECE = 64;

/** A snapshot without its norms. */
export function headOf({ step, epoch, phase, segment, loss }: SnapshotRecord): SnapshotHead {
  return { step, epoch, phase, segment, loss };
}

/** The norms of at most `PIECE` snapshots. */
export function packNorms(records: readonly SnapshotRecord[], modules: readonly string[], toBase64: (bytes: Uint8Array) => string): string {
  return toBase64(littleEndian(records.flatMap((record) => normsOf(record, modules))));
}

/** The norms of a record in the order of a packed snapshot. */
export function normsOf(record: SnapshotRecord, modules: readonly string[]): number[] {
  return modules.flatMap((module) => NORMS.map((name) => record.modules[module]?.[name] ?? Number.NaN));
}

function littleEndian(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, i) => {
    view.setFloat64(8 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}
