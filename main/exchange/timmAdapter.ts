/**
 * LoRA adapters on a timm model as PEFT reads them (formats.md section 4). timm has one linear layer for q, k and v, so their adapters become
 * one: A stacked, B block-diagonal with each one's scale in its block, which leaves alpha = rank for the whole.
 */
import { type ModulePlace, moduleName, parseModuleName } from '../core/modules.ts';
import type { Tensor, TensorSource } from '../store/safetensors.ts';
import { type Adapters, type ExportContent, type ExportSource, jsonText } from './exportSource.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapterConfig, turned } from './peftAdapter.ts';
import { PEFT_PREFIX } from './savedModules.ts';

const FUSED = ['q', 'k', 'v'] as const;

/** The adapter's folder without its README. */
export function timmAdapter({ config, parameters, adapters }: ExportSource): ExportContent {
  const modules = timmAdapters(adapters);
  const keys = [...modules].map(([key, own]) => ({ key, ...own }));
  const json = adapterConfig({
    base: { base_model_class: 'VisionTransformer', parent_library: 'timm.models.vision_transformer' },
    target: keys.map(({ key }) => key),
    keys,
    dropout: config.prelora.loraDropRate,
    saved: null,
  });
  const tensors = new Map<string, TensorSource>();
  for (const module of modules.keys()) {
    const { loraA, loraB } = timmAdapterNames(module);
    const layer = fusedLayer(module);
    tensors.set(loraA, layer === null ? turned(parameters, `${module}.loraA`) : fusedA(parameters, adapters, layer));
    tensors.set(loraB, layer === null ? turned(parameters, `${module}.loraB`) : fusedB(parameters, adapters, layer));
  }
  return { texts: new Map([[ADAPTER_CONFIG, jsonText(json)]]), tensors: new Map([[ADAPTER_WEIGHTS, tensors]]) };
}

/** Rank and alpha by timm's names of the modules, which are ours but for the fused one. */
export function timmAdapters(adapters: Adapters): Map<string, { rank: number; alpha: number }> {
  const modules = new Map<string, { rank: number; alpha: number }>();
  for (const [module, own] of adapters) {
    const { layer, family } = parseModuleName(module) as ModulePlace;
    if (!isFused(family)) modules.set(module, own);
    else {
      const rank = (modules.get(fusedModule(layer))?.rank ?? 0) + own.rank;
      modules.set(fusedModule(layer), { rank, alpha: rank });
    }
  }
  return modules;
}

export function fusedModule(layer: number): string {
  return `blocks.${layer}.attn.qkv`;
}

export function isFused(family: string): boolean {
  return FUSED.some((own) => own === family);
}

function fusedLayer(module: string): number | null {
  const [, layer] = /^blocks\.(\d+)\.attn\.qkv$/.exec(module) ?? [];
  return layer === undefined ? null : Number(layer);
}

/** Where a module's two matrices lie in the file. */
export function timmAdapterNames(module: string): { loraA: string; loraB: string } {
  return { loraA: `${PEFT_PREFIX}${module}.lora_A.weight`, loraB: `${PEFT_PREFIX}${module}.lora_B.weight` };
}

interface Part {
  /** Which third of the outputs. */
  third: number;
  /** [in, r] */
  loraA: Tensor;
  /** [r, out] */
  loraB: Tensor;
  rank: number;
  /** γ = α / r */
  scaling: number;
}

/** The adapted ones of q, k and v of a block. */
function partsOf(parameters: ReadonlyMap<string, Tensor>, adapters: Adapters, layer: number): Part[] {
  return FUSED.flatMap((family, third) => {
    const module = moduleName(layer, family);
    const own = adapters.get(module);
    if (!own) return [];
    const [loraA, loraB] = [parameters.get(`${module}.loraA`), parameters.get(`${module}.loraB`)];
    if (!loraA || !loraB) throw new Error(`${module}: its adapter is missing from the model`);
    return [{ third, loraA, loraB, rank: own.rank, scaling: own.alpha / own.rank }];
  });
}

/** [Σr, in] */
function fusedA(parameters: ReadonlyMap<string, Tensor>, adapters: Adapters, layer: number): TensorSource {
  const parts = partsOf(parameters, adapters, layer);
  const inputs = (parts[0] as Part).loraA.shape[0] as number;
  const rank = rankOf(parts);
  const values = async (): Promise<Float32Array> => {
    const rows = new Float32Array(rank * inputs);
    let row = 0;
    for (const { loraA, rank: own } of parts) {
      for (let r = 0; r < own; r++, row++) {
        for (let i = 0; i < inputs; i++) rows[row * inputs + i] = loraA.data[i * own + r] as number;
      }
    }
    return rows;
  };
  return { shape: [rank, inputs], data: values };
}

/** [3·out, Σr] */
function fusedB(parameters: ReadonlyMap<string, Tensor>, adapters: Adapters, layer: number): TensorSource {
  const parts = partsOf(parameters, adapters, layer);
  const outputs = (parts[0] as Part).loraB.shape[1] as number;
  const rank = rankOf(parts);
  const values = async (): Promise<Float32Array> => {
    const rows = new Float32Array(3 * outputs * rank);
    let column = 0;
    for (const { third, loraB, rank: own, scaling } of parts) {
      for (let r = 0; r < own; r++, column++) {
        for (let j = 0; j < outputs; j++) rows[(third * outputs + j) * rank + column] = scaling * (loraB.data[r * outputs + j] as number);
      }
    }
    return rows;
  };
  return { shape: [3 * outputs, rank], data: values };
}

function rankOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { rank }) => sum + rank, 0);
}
