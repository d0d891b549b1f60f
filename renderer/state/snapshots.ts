/**
 * Snapshots as the charts read them: a head each and one row of norms, kept as plain numbers, because 5,000 snapshots of 144 modules
 * as objects are 70 MB and slow to walk. Filled from packed pieces, then by live records.
 */
import { NORMS, normsOf, type PackedSnapshots, type SnapshotHead } from '../../main/protocol/packedSnapshots.ts';
import type { SnapshotRecord } from '../../main/protocol/records.ts';
import { NumberColumn } from './numberColumn.ts';

export type Norm = (typeof NORMS)[number];
export type Metric = 'norm' | 'displacement';

const WEIGHT = NORMS.indexOf('weightNorm');
const DISPLACEMENT = NORMS.indexOf('displacement');

export class Snapshots {
  #modules: readonly string[] = [];
  #places = new Map<string, number>();
  #heads: SnapshotHead[] = [];
  #steps = new NumberColumn();
  #norms = new NumberColumn();
  /** Of the metric asked for last: a run has one. */
  #changes: { metric: Metric; column: NumberColumn } | null = null;

  get modules(): readonly string[] {
    return this.#modules;
  }

  get length(): number {
    return this.#heads.length;
  }

  /** As of an array: negative counts from the end. */
  at(index: number): SnapshotHead | undefined {
    return this.#heads.at(index);
  }

  get steps(): Float64Array {
    return this.#steps.values;
  }

  /** Where a module stands among the modules of a snapshot. */
  placeOf(module: string): number | undefined {
    return this.#places.get(module);
  }

  /** A norm of a module; null where it is missing or not a number. */
  norm(index: number, module: string, name: Norm): number | null {
    const place = this.#places.get(module);
    if (place === undefined || index < 0 || index >= this.length) return null;
    const value = this.#norms.values[(index * this.#modules.length + place) * NORMS.length + NORMS.indexOf(name)];
    return value === undefined || Number.isNaN(value) ? null : value;
  }

  /** Change of a module from the snapshot before to this one, percent, by the run's own metric; NaN when one is missing. */
  change(index: number, module: string, metric: Metric): number {
    return index < 1 ? Number.NaN : (this.changes(module, metric, index, index + 1)[0] ?? Number.NaN);
  }

  /** Changes up to each of the snapshots `from` … `to` − 1. For drawing only: verdicts come from the engine. */
  changes(module: string, metric: Metric, from: number, to: number): Float64Array {
    const found = new Float64Array(Math.max(0, to - from)).fill(Number.NaN);
    const place = this.#places.get(module);
    if (place === undefined) return found;
    const all = this.allChanges(metric);
    for (let i = Math.max(1, from); i < to; i++) found[i - from] = all[i * this.#modules.length + place] ?? Number.NaN;
    return found;
  }

  /**
   * [snapshots × modules] the changes of all modules up to each snapshot, in the order of `modules`; NaN up to the first. Only those of new
   * snapshots are computed, so that whoever reads a long run in pieces may ask after each.
   */
  allChanges(metric: Metric): Float64Array {
    if (this.#changes?.metric !== metric) this.#changes = { metric, column: new NumberColumn() };
    const { column } = this.#changes;
    const norms = this.#norms.values;
    const known = norms.length / NORMS.length;
    column.reserve(this.length * this.#modules.length);
    for (let cell = column.length; cell < known; cell++) {
      const at = cell * NORMS.length;
      const before = norms[at - this.#modules.length * NORMS.length + WEIGHT] ?? Number.NaN;
      const after = norms[at + WEIGHT] as number;
      column.push(percentOf(before, after, metric === 'norm' ? Math.abs(after - before) : (norms[at + DISPLACEMENT] as number)));
    }
    return column.values;
  }

  /** A norm of a module at every snapshot; NaN where it is missing. */
  norms(module: string, name: Norm): Float64Array {
    const found = new Float64Array(this.length).fill(Number.NaN);
    const place = this.#places.get(module);
    if (place === undefined) return found;
    const norms = this.#norms.values;
    for (let i = 0, at = place * NORMS.length + NORMS.indexOf(name); i < found.length; i++, at += this.#modules.length * NORMS.length) {
      found[i] = norms[at] as number;
    }
    return found;
  }

  /** Takes a live record; one of an earlier or the same step is a repetition and left out. */
  push(record: SnapshotRecord): void {
    if (record.step <= (this.#heads.at(-1)?.step ?? -1)) return;
    if (this.length === 0) this.#name(Object.keys(record.modules));
    const { step, epoch, phase, segment, loss } = record;
    this.#heads.push({ step, epoch, phase, segment, loss });
    this.#steps.push(step);
    this.#norms.append(normsOf(record, this.#modules));
  }

  #name(modules: readonly string[]): void {
    this.#modules = modules;
    this.#changes = null;
    this.#places = new Map(modules.map((module, place) => [module, place]));
  }

  /** What a message holds; norms that are not in it are to be appended before anybody reads. */
  static unpack({ modules, heads, pieces }: PackedSnapshots): Snapshots {
    const snapshots = new Snapshots();
    snapshots.#name(modules);
    snapshots.#heads = [...heads];
    snapshots.#steps.append(heads.map(({ step }) => step));
    snapshots.#norms.reserve(heads.length * modules.length * NORMS.length);
    for (const piece of pieces) snapshots.append(piece);
    return snapshots;
  }

  /** Takes the next piece of norms. */
  append(piece: string): void {
    this.#norms.append(fromBase64(piece));
  }
}

/** percentChange of method.md section 7: how far the weight moved, in percent of its norm before. */
function percentOf(before: number, after: number, moved: number): number {
  if (!Number.isFinite(before) || !Number.isFinite(after)) return Number.NaN;
  if (Math.abs(before) < 1e-12) return moved < 1e-12 ? 0 : Number.POSITIVE_INFINITY;
  return (100 * moved) / Math.abs(before);
}

/** Every machine that runs a browser is little-endian, as the message is. */
function fromBase64(text: string): Float64Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Float64Array(bytes.buffer);
}
