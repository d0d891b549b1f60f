/**
 * A PEFT adapter on a timm base, read as PEFT reads it. That of the fused q, k and v is told as three adapters of its whole rank with one A:
 * what the file computes, whether or not each third of B has a block of its own.
 */
import path from 'node:path';
import { moduleName } from '../core/modules.ts';
import { linearShape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import { FAMILIES } from '../protocol/families.ts';
import { readSafetensors, type Tensor } from '../store/safetensors.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from './peftAdapter.ts';
import { patternValue, type ReadAdapter, turned } from './readAdapter.ts';
import { type Json, readJson } from './readJson.ts';
import { fusedModule, isFused, timmAdapterNames } from './timmAdapter.ts';

/** Throws an Error with what is wrong with the files. */
export async function readTimmAdapter(folder: string, model: ModelShape): Promise<ReadAdapter> {
  const config = await readJson(path.join(folder, ADAPTER_CONFIG));
  const stored = await readSafetensors(path.join(folder, ADAPTER_WEIGHTS));
  const adapters = new Map<string, { rank: number; alpha: number }>();
  const tensors = new Map<string, Tensor>();
  for (const { module, parts } of timmModules(model)) {
    const matched = matchModule(config, module);
    const matrices = takeMatrices(stored, module);
    if ((matched === null) !== (matrices === null)) {
      throw new Error(`${module}: ${matched ? 'is a target but has no tensors' : 'has tensors but is no target'}`);
    }
    if (!matrices || !matched) continue;
    checkShapes(module, matrices, matched.rank, parts, model);
    for (const [third, part] of parts.entries()) {
      adapters.set(part, matched);
      tensors.set(`${part}.loraA`, turned(matrices.loraA));
      tensors.set(`${part}.loraB`, turned(rowsOf(matrices.loraB, third, parts.length)));
    }
  }
  if (stored.size > 0) throw new Error(`${[...stored.keys()][0]}: belongs to no module`);
  if (config.modules_to_save) throw new Error(`modules_to_save is ${JSON.stringify(config.modules_to_save)}, not null`);
  return { adapters, tensors, saved: [] };
}

interface TimmModule {
  module: string;
  /** Ours: the module itself, or q, k and v. */
  parts: string[];
}

function timmModules({ depth }: ModelShape): TimmModule[] {
  return Array.from({ length: depth }, (_, layer): TimmModule[] => {
    const parts = FAMILIES.filter(isFused).map((family) => moduleName(layer, family));
    const others = FAMILIES.filter((family) => !isFused(family)).map((family) => moduleName(layer, family));
    return [{ module: fusedModule(layer), parts }, ...others.map((module) => ({ module, parts: [module] }))];
  }).flat();
}

/** Null when the module is no target: as PEFT matches a list, a name or the end of one. */
function matchModule(config: Json, module: string): { rank: number; alpha: number } | null {
  const targets = config.target_modules as string[];
  if (!targets.some((own) => module === own || module.endsWith(`.${own}`))) return null;
  return { rank: patternValue(config.rank_pattern, module), alpha: patternValue(config.alpha_pattern, module) };
}

interface Matrices {
  loraA: Tensor;
  loraB: Tensor;
}

/** As they lie there, taken out of `stored`; null when there is none. */
function takeMatrices(stored: Map<string, Tensor>, module: string): Matrices | null {
  const names = timmAdapterNames(module);
  const [loraA, loraB] = [stored.get(names.loraA), stored.get(names.loraB)];
  for (const name of Object.values(names)) stored.delete(name);
  if (loraA && loraB) return { loraA, loraB };
  if (loraA || loraB) throw new Error(`${module}: has one of its two matrices`);
  return null;
}

function checkShapes(module: string, { loraA, loraB }: Matrices, rank: number, parts: readonly string[], model: ModelShape): void {
  const family = FAMILIES.find((own) => parts[0]?.endsWith(`.${own}`)) as (typeof FAMILIES)[number];
  const [inputs, outputs] = linearShape(model, family);
  const wanted = `[${rank},${inputs}] and [${parts.length * outputs},${rank}]`;
  const found = `[${loraA.shape}] and [${loraB.shape}]`;
  if (found !== wanted) throw new Error(`${module}: its tensors have shapes ${found}, rank_pattern wants ${wanted}`);
}

/** One of so many equal parts of the rows. */
function rowsOf({ shape, data }: Tensor, part: number, parts: number): Tensor {
  const size = data.length / parts;
  return { shape: [(shape[0] as number) / parts, shape[1] as number], data: data.subarray(part * size, (part + 1) * size) };
}
