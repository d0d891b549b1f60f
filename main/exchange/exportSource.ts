/** What every export format is made from, and what each of them gives: texts and tensors by file name, which one writer puts on the disk. */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import type { Tensor, TensorSource } from '../store/safetensors.ts';

/** Rank and alpha of every adapted module. */
export type Adapters = ReadonlyMap<string, { rank: number; alpha: number }>;

/** The base of an adapter that carries what moved since the freeze. */
export interface FreezeBase {
  step: number;
  /** By our paths. */
  parameters: ReadonlyMap<string, Tensor>;
  /** Paths of the base that train on after the freeze. */
  moved: ReadonlySet<string>;
}

/** A checkpoint, as it is handed on. */
export interface ExportSource {
  config: ResolvedConfig;
  /** By class index; as many as the head has outputs. */
  classes: readonly string[];
  /** By our paths, base and adapters apart. */
  parameters: ReadonlyMap<string, Tensor>;
  /** By our paths, adapters in their weights. */
  merged: ReadonlyMap<string, Tensor>;
  adapters: Adapters;
  /** Null where an adapter's base is that of this checkpoint. */
  freeze: FreezeBase | null;
  run: { id: string; name: string };
  checkpoint: { step: number; epoch: number; phase: Phase };
  /** Of the evaluation at this step; null when there was none. */
  results: { set: string; images: number; valLoss: number | null; valTop1: number | null; valTop5: number | null } | null;
}

/** Files of an export by their path below its folder, with `/` between. */
export interface ExportContent {
  texts: ReadonlyMap<string, string>;
  tensors: ReadonlyMap<string, ReadonlyMap<string, TensorSource>>;
}

/** JSON as people read it. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The contents side by side; `folder` puts the files of one below a folder. */
export function joinContents(...parts: readonly (readonly [folder: string, content: ExportContent])[]): ExportContent {
  const texts = new Map<string, string>();
  const tensors = new Map<string, ReadonlyMap<string, TensorSource>>();
  for (const [folder, content] of parts) {
    const below = (name: string): string => (folder === '' ? name : `${folder}/${name}`);
    for (const [name, text] of content.texts) texts.set(below(name), text);
    for (const [name, values] of content.tensors) tensors.set(below(name), values);
  }
  return { texts, tensors };
}
