/**
 * A run's metrics and snapshots cut into pieces. A state carries the first and says how many follow: 5,000 snapshots of 144 modules in
 * one message are 23 MB, whose arrival alone stops a page for half a second; a piece is read and taken between two of its frames.
 * Each is packed only when it is asked for, so that the side that packs does not stand still either.
 */
import './jitless.ts';
import { z } from 'zod';
import { headOf, type PackedSnapshots, PIECE, packNorms } from './packedSnapshots.ts';
import { MetricsRecord, type SnapshotRecord } from './records.ts';

/** Lines of metrics in a piece. */
const METRICS_PER_PIECE = 500;

export const RecordPiece = z.object({
  metrics: z.array(MetricsRecord),
  /** As in `PackedSnapshots.pieces`; null when there are no more. */
  norms: z.string().nullable(),
});
export type RecordPiece = z.output<typeof RecordPiece>;

export class RecordPieces {
  readonly count: number;
  readonly #modules: readonly string[];

  constructor(
    readonly metrics: readonly MetricsRecord[],
    readonly snapshots: readonly SnapshotRecord[],
    readonly toBase64: (bytes: Uint8Array) => string,
  ) {
    this.count = Math.max(1, Math.ceil(metrics.length / METRICS_PER_PIECE), Math.ceil(snapshots.length / PIECE));
    this.#modules = Object.keys(snapshots[0]?.modules ?? {});
  }

  /** What the state itself carries. */
  first(): { metrics: MetricsRecord[]; snapshots: PackedSnapshots; morePieces: number } {
    const { metrics, norms } = this.piece(0);
    const snapshots = { modules: [...this.#modules], heads: this.snapshots.map(headOf), pieces: norms === null ? [] : [norms] };
    return { metrics, snapshots, morePieces: this.count - 1 };
  }

  /** The piece of a number below `count`; the first is 0. */
  piece(index: number): RecordPiece {
    const snapshots = this.snapshots.slice(index * PIECE, (index + 1) * PIECE);
    return {
      metrics: this.metrics.slice(index * METRICS_PER_PIECE, (index + 1) * METRICS_PER_PIECE),
      norms: snapshots.length === 0 ? null : packNorms(snapshots, this.#modules, this.toBase64),
    };
  }
}
