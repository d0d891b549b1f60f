/** A PEFT adapter on a base in Hugging Face's names, read as PEFT reads it: by matching names (formats.md section 4). */
import path from 'node:path';
import { allModules } from '../core/modules.ts';
import { parameterShapes, type Shape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import { readSafetensors, type Tensor } from '../store/safetensors.ts';
import type { Adapters } from './exportSource.ts';
import { foreignPlace, type HfVocabulary, toNative, transpose } from './foreignNames.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapterNames, HF_VOCABULARIES, hfModule } from './peftAdapter.ts';
import { type Json, readJson } from './readJson.ts';
import { isSaved, savedName } from './savedModules.ts';

export interface ReadAdapter {
  adapters: Adapters;
  /** By our paths: adapters, and the parameters in whose place others stand. */
  tensors: Map<string, Tensor>;
  /** The latter. */
  saved: string[];
}

/** Ranks and alphas by matching every module's name, as PEFT does; tensors under both names must be equal. */
export async function readAdapter(folder: string, model: ModelShape): Promise<ReadAdapter> {
  const config = await readJson(path.join(folder, ADAPTER_CONFIG));
  const stored = await readSafetensors(path.join(folder, ADAPTER_WEIGHTS));
  const adapters = new Map<string, { rank: number; alpha: number }>();
  const saved = takeSaved(stored, config, model);
  const tensors = new Map(saved);
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
  return { adapters, tensors, saved: [...saved.keys()] };
}

/** What `modules_to_save` names, taken out of `stored`: every tensor of those modules, in each vocabulary that the file is in. */
function takeSaved(stored: Map<string, Tensor>, config: Json, model: ModelShape): Map<string, Tensor> {
  const entries = (config.modules_to_save ?? []) as string[];
  const saved = new Map<string, Tensor>();
  const taken = new Set<string>();
  for (const vocabulary of HF_VOCABULARIES.filter((own) => isIn(stored, model, own))) {
    for (const [path, shape] of parameterShapes(model)) {
      const name = savedName(path, shape, model, vocabulary);
      if (!isSaved(name, entries)) continue;
      const tensor = savedTensor(stored, name, { path, shape, model, vocabulary });
      const other = saved.get(path);
      if (other && !isEqual(other, tensor)) throw new Error(`${name}: differs from its other name`);
      saved.set(path, tensor);
      taken.add(name);
    }
  }
  for (const name of taken) stored.delete(name);
  return saved;
}

function isIn(stored: ReadonlyMap<string, Tensor>, model: ModelShape, vocabulary: HfVocabulary): boolean {
  return allModules(model.depth).some((module) => stored.has(adapterNames(module, model, vocabulary).loraA));
}

interface SavedPlace {
  path: string;
  shape: Shape;
  model: ModelShape;
  vocabulary: HfVocabulary;
}

/** In our orientation. PEFT fails where one of a saved module's tensors is missing. */
function savedTensor(stored: ReadonlyMap<string, Tensor>, name: string, { path, shape, model, vocabulary }: SavedPlace): Tensor {
  const tensor = stored.get(name);
  if (!tensor) throw new Error(`${name}: is missing; modules_to_save wants every tensor of its module`);
  const place = foreignPlace(path, shape, model, vocabulary);
  if (String(tensor.shape) !== String(place.shape)) throw new Error(`${name}: has shape [${tensor.shape}], not [${place.shape}]`);
  return { shape, data: toNative(tensor.data, place, model) };
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
export function patternValue(patterns: unknown, name: string): number {
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
      if (other && !isEqual(other, native)) throw new Error(`${name}: differs from its other name`);
      found[matrix] = native;
    }
  }
  const matrices = Object.keys(found).length;
  if (matrices === 1) throw new Error(`${module}: has one of its two matrices`);
  return matrices === 0 ? null : found;
}

export function turned({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  return { shape: [columns, rows], data: transpose(data, rows, columns) };
}

function isEqual(a: Tensor, b: Tensor): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
