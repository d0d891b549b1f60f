/** An export read back from its files alone: sizes, weights, adapters, labels, preprocessing, all in our own words, to be held against what was exported. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { allModules } from '../core/modules.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { TensorFormat } from '../protocol/exports.ts';
import { readSafetensors, type Tensor } from '../store/safetensors.ts';
import type { Adapters } from './exportSource.ts';
import { transpose } from './foreignNames.ts';
import { HF_CONFIG, HF_PREPROCESSOR } from './hfFolder.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapterNames, HF_VOCABULARIES, hfModule } from './peftAdapter.ts';
import { type ReadPreprocessing, readHfPreprocessor, readTimmPretrained } from './preprocessing.ts';
import { describeStartWeights, readStartWeights } from './startWeights.ts';
import { TIMM_CONFIG } from './timmFolder.ts';

export type Json = Record<string, unknown>;

export interface ReadExport {
  /** The geometry that the files tell; what leaves no trace in them is as trained. */
  model: ModelShape;
  parameters: Map<string, Tensor>;
  adapters: Adapters;
  classes: string[];
  /** Null where none was written. */
  preprocessing: ReadPreprocessing | null;
  /** config.json of the model, as it stands there. */
  config: Json;
}

/** Throws a PreloraError, or an Error, with what is wrong with the files. `trained` fills in what no file tells. */
export async function readExport(folder: string, format: TensorFormat, trained: ModelShape): Promise<ReadExport> {
  if (format !== 'peft') return readModelFolder(folder, format, trained);
  const base = await readModelFolder(path.join(folder, 'base'), 'hf', trained);
  const { adapters, tensors } = await readAdapter(path.join(folder, 'adapter'), base.model);
  return { ...base, adapters, parameters: new Map([...base.parameters, ...tensors]) };
}

async function readModelFolder(folder: string, format: 'hf' | 'timm', trained: ModelShape): Promise<ReadExport> {
  const { model: sizes } = await describeStartWeights(folder);
  const told = Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== null));
  const model = { ...trained, ...told } as ModelShape;
  const { tensors } = await readStartWeights(folder, model);
  const config = await readJson(path.join(folder, format === 'hf' ? HF_CONFIG : TIMM_CONFIG));
  return { model, parameters: tensors, adapters: new Map(), config, ...(await labelsAndPixels(folder, format, config)) };
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

export async function readJson(file: string): Promise<Json> {
  return JSON.parse(await readFile(file, 'utf8')) as Json;
}

/** Ranks and alphas by matching every module's name, as PEFT does; tensors under both names must be equal. */
async function readAdapter(folder: string, model: ModelShape): Promise<{ adapters: Adapters; tensors: Map<string, Tensor> }> {
  const config = await readJson(path.join(folder, ADAPTER_CONFIG));
  const stored = await readSafetensors(path.join(folder, ADAPTER_WEIGHTS));
  const adapters = new Map<string, { rank: number; alpha: number }>();
  const tensors = new Map<string, Tensor>();
  for (const module of allModules(model.depth)) {
    const matched = matchModule(config, module, model);
    if (matched) adapters.set(module, matched);
    const matrices = takeMatrices(stored, module, model);
    if ((matched === null) !== (matrices === null)) {
      throw new Error(`${module}: ${matched ? 'is a target but has no tensors' : 'has tensors but is no target'}`);
    }
    if (!matrices || !matched) continue;
    for (const [matrix, tensor] of Object.entries(matrices)) tensors.set(`${module}.${matrix}`, tensor);
    const rank = (matrices.loraA as Tensor).shape[1];
    if (rank !== matched.rank) throw new Error(`${module}: its tensors have rank ${rank}, rank_pattern says ${matched.rank}`);
  }
  if (stored.size > 0) throw new Error(`${[...stored.keys()][0]}: belongs to no module`);
  return { adapters, tensors };
}

/** Null when the module is no target. Throws when the two vocabularies disagree, or not exactly one pattern hits. */
function matchModule(config: Json, module: string, model: ModelShape): { rank: number; alpha: number } | null {
  const found = HF_VOCABULARIES.map((vocabulary) => {
    const name = hfModule(module, model, vocabulary);
    // re.fullmatch
    if (!new RegExp(`^(?:${config.target_modules})$`).test(name)) return null;
    return { rank: patternValue(config.rank_pattern, name), alpha: patternValue(config.alpha_pattern, name) };
  });
  const [first = null] = found;
  for (const other of found) {
    if (other?.rank === first?.rank && other?.alpha === first?.alpha) continue;
    throw new Error(`${module}: ${JSON.stringify(first)} in one vocabulary, ${JSON.stringify(other)} in the other`);
  }
  return first;
}

/** As PEFT looks a name up: the one pattern that ends it. */
function patternValue(patterns: unknown, name: string): number {
  const hits = Object.entries(patterns as Record<string, number>).filter(([key]) => new RegExp(`^(.*\\.)?(${key})$`).test(name));
  if (hits.length !== 1) throw new Error(`${name}: ${hits.length} patterns match it, one must`);
  return (hits[0] as [string, number])[1];
}

/** A module's A [in, r] and B [r, out], taken out of `stored`; null when it has none under any name. */
function takeMatrices(stored: Map<string, Tensor>, module: string, model: ModelShape): Record<string, Tensor> | null {
  const found: Record<string, Tensor> = {};
  for (const vocabulary of HF_VOCABULARIES) {
    for (const [matrix, name] of Object.entries(adapterNames(module, model, vocabulary))) {
      const tensor = stored.get(name);
      if (!tensor) continue;
      stored.delete(name);
      const native = turned(tensor);
      const other = found[matrix];
      if (other && Buffer.compare(bytesOf(other), bytesOf(native)) !== 0) throw new Error(`${name}: differs from its other name`);
      found[matrix] = native;
    }
  }
  const matrices = Object.keys(found).length;
  if (matrices === 1) throw new Error(`${module}: has one of its two matrices`);
  return matrices === 0 ? null : found;
}

function turned({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  return { shape: [columns, rows], data: transpose(data, rows, columns) };
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
