/** An export read back from its files alone: sizes, weights, adapters, labels, preprocessing, all in our own words, to be held against what was exported. */
import path from 'node:path';
import type { ModelShape } from '../protocol/config.ts';
import type { TensorFormat } from '../protocol/exports.ts';
import type { Tensor } from '../store/safetensors.ts';
import type { Adapters } from './exportSource.ts';
import { HF_CONFIG, HF_PREPROCESSOR } from './hfFolder.ts';
import { type ReadPreprocessing, readHfPreprocessor, readTimmPretrained } from './preprocessing.ts';
import { readAdapter } from './readAdapter.ts';
import { type Json, readJson } from './readJson.ts';
import { readTimmAdapter } from './readTimmAdapter.ts';
import { describeStartWeights, readStartWeights } from './startWeights.ts';
import { TIMM_CONFIG } from './timmFolder.ts';

/** What lies in a folder: a format, and for PEFT whose base. */
export type Layout = TensorFormat | 'peft-timm';

export interface ReadExport {
  /** The geometry that the files tell; what leaves no trace in them is as trained. */
  model: ModelShape;
  parameters: Map<string, Tensor>;
  adapters: Adapters;
  /** What base/ holds of the parameters, where an adapter lies beside it. */
  base: Map<string, Tensor>;
  /** Paths of the base that the adapter holds whole. */
  saved: string[];
  classes: string[];
  /** Null where none was written. */
  preprocessing: ReadPreprocessing | null;
  /** config.json of the model (of its base), as it stands there. */
  config: Json;
}

/** Throws a PreloraError, or an Error, with what is wrong with the files. `trained` fills in what no file tells. */
export async function readExport(folder: string, layout: Layout, trained: ModelShape): Promise<ReadExport> {
  if (layout === 'hf' || layout === 'timm') return readModelFolder(folder, layout, trained);
  const read = await readModelFolder(path.join(folder, 'base'), layout === 'peft' ? 'hf' : 'timm', trained);
  const own = await (layout === 'peft' ? readAdapter : readTimmAdapter)(path.join(folder, 'adapter'), read.model);
  const { parameters: base } = read;
  return { ...read, adapters: own.adapters, base, saved: own.saved, parameters: new Map([...base, ...own.tensors]) };
}

async function readModelFolder(folder: string, format: 'hf' | 'timm', trained: ModelShape): Promise<ReadExport> {
  const { model: sizes } = await describeStartWeights(folder);
  const told = Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== null));
  const model = { ...trained, ...told } as ModelShape;
  const { tensors } = await readStartWeights(folder, model);
  const config = await readJson(path.join(folder, format === 'hf' ? HF_CONFIG : TIMM_CONFIG));
  const own = { model, parameters: tensors, base: tensors, saved: [], adapters: new Map(), config };
  return { ...own, ...(await labelsAndPixels(folder, format, config)) };
}

async function labelsAndPixels(
  folder: string,
  format: 'hf' | 'timm',
  config: Json,
): Promise<Pick<ReadExport, 'classes' | 'preprocessing'>> {
  if (format === 'timm') {
    const cfg = config.pretrained_cfg as Json | undefined;
    return { classes: config.label_names as string[], preprocessing: cfg ? readTimmPretrained(cfg) : null };
  }
  const labels = config.id2label as Record<string, string>;
  const classes = Object.keys(labels).map((_, index) => labels[String(index)] as string);
  const file = await readJson(path.join(folder, HF_PREPROCESSOR)).catch(() => null);
  return { classes, preprocessing: file && readHfPreprocessor(file) };
}
