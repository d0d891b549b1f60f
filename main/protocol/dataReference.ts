/**
 * What stands where a path stood once a run has left its machine in a bundle (formats.md section 12): which data it was, not where it lay.
 * In files it is an object; a config in memory, whose paths are texts, has it as a text that no reader takes for a path.
 */
import './jitless.ts';
import { z } from 'zod';

export const DataReference = z.strictObject({
  /** Format of the data set as in `data.format`, or `weights` for what a run started from. */
  kind: z.string().max(100),
  /** The last part of the path. */
  name: z.string().max(500),
  /** Of the data set, as its report has it; null where the run is older than that, and for weights. */
  fingerprint: z.string().max(200).nullable(),
});
export type DataReference = z.output<typeof DataReference>;

/** named-data.json of a run: where its data lies here, by field, such as `data.source`. */
export const NamedData = z.record(z.string(), z.string());
export type NamedData = z.output<typeof NamedData>;

const TEXT = /^\((.+, not on this machine)\)$/;

/** As it stands in a config in memory: `(folder "flowers", not on this machine)`. */
export function referenceText({ kind, name }: DataReference): string {
  return `(${kind} "${name}", not on this machine)`;
}

/** The reference in words, when `text` is one and no path: `folder "flowers", not on this machine`. */
export function referenceWords(text: string): string | null {
  return TEXT.exec(text)?.[1] ?? null;
}
