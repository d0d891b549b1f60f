/**
 * LoRA adapters as PEFT reads them, a rank and an alpha per module (formats.md section 4). Tensors are named twice, before and since
 * transformers 5.9, because each version silently leaves an adapter at zero whose names it does not know; so are the modules, in one
 * regular expression per module.
 */

import { type ModulePlace, parseModuleName } from '../core/modules.ts';
import { linearShape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { ExportSettings } from '../protocol/exports.ts';
import type { Family } from '../protocol/families.ts';
import type { Tensor, TensorSource } from '../store/safetensors.ts';
import { type Adapters, type ExportContent, type ExportSource, jsonText } from './exportSource.ts';
import { foreignPlace, type HfVocabulary, transpose } from './foreignNames.ts';
import { fullName } from './foreignTensors.ts';
import { PEFT_PREFIX, savedModules, savedTensors } from './savedModules.ts';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** Of Hugging Face; timm has another form of adapter (timmAdapter.ts). */
export const HF_VOCABULARIES: readonly HfVocabulary[] = ['classic', 'renamed'];

/** Module endings in both vocabularies, as a regular expression that Python and JavaScript read alike. */
const ENDINGS: Record<Family, string> = {
  q: '(attention\\.attention\\.query|attention\\.q_proj)',
  k: '(attention\\.attention\\.key|attention\\.k_proj)',
  v: '(attention\\.attention\\.value|attention\\.v_proj)',
  proj: '(attention\\.output\\.dense|attention\\.o_proj)',
  fc1: '(intermediate\\.dense|mlp\\.fc1)',
  fc2: '(output\\.dense|mlp\\.fc2)',
};

/** The adapter's folder without its README; what moved since a freeze goes along. */
export function peftAdapter({ config, parameters, adapters, freeze }: ExportSource, names: ExportSettings['names']): ExportContent {
  const vocabularies = names === 'both' ? HF_VOCABULARIES : [names];
  const saved = freeze && savedModules(freeze.moved, config.model, vocabularies);
  const lora = adapterTensors(parameters, adapters, config.model, vocabularies);
  const whole = freeze ? savedTensors(parameters, freeze.moved, config.model, vocabularies) : [];
  return {
    texts: new Map([[ADAPTER_CONFIG, jsonText(hfAdapterConfig(adapters, config.prelora.loraDropRate, saved))]]),
    tensors: new Map([[ADAPTER_WEIGHTS, new Map([...lora, ...whole])]]),
  };
}

function hfAdapterConfig(adapters: Adapters, dropout: number, saved: readonly string[] | null): Record<string, unknown> {
  const keys = [...adapters].map(([module, own]) => ({ key: moduleKey(module), ...own }));
  return adapterConfig({
    base: { base_model_class: 'ViTForImageClassification', parent_library: 'transformers.models.vit.modeling_vit' },
    target: `(.*\\.)?(${keys.map(({ key }) => key).join('|')})`,
    keys,
    dropout,
    saved,
  });
}

export interface AdapterConfig {
  /** PEFT's `auto_mapping`. */
  base: Record<string, string>;
  /** PEFT's `target_modules`. */
  target: string | readonly string[];
  /** Exactly the adapted modules, each once. */
  keys: readonly { key: string; rank: number; alpha: number }[];
  dropout: number;
  /** PEFT's `modules_to_save`. */
  saved: readonly string[] | null;
}

/** adapter_config.json. `rank_pattern` and `alpha_pattern` name every adapted module: without, PEFT silently takes `r` and `lora_alpha`. */
export function adapterConfig({ base, target, keys, dropout, saved }: AdapterConfig): Record<string, unknown> {
  const largest = keys.reduce((most, own) => (own.rank > most.rank ? own : most), keys[0] as (typeof keys)[number]);
  return {
    peft_type: 'LORA',
    task_type: null,
    inference_mode: true,
    auto_mapping: base,
    // Taken from the working directory; "../base" would be refused as the name of a repository.
    base_model_name_or_path: 'base',
    r: largest.rank,
    lora_alpha: largest.alpha,
    target_modules: target,
    rank_pattern: Object.fromEntries(keys.map(({ key, rank }) => [key, rank])),
    alpha_pattern: Object.fromEntries(keys.map(({ key, alpha }) => [key, alpha])),
    lora_dropout: dropout,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
    revision: null,
    modules_to_save: saved,
  };
}

/** The regular expression that both libraries' names of a module match, and no other module's. */
export function moduleKey(module: string): string {
  const { layer, family } = parseModuleName(module) as ModulePlace;
  return `(encoder\\.layer|layers)\\.${layer}\\.${ENDINGS[family]}`;
}

/** What the module is called inside `ViTForImageClassification`. */
export function hfModule(module: string, model: ModelShape, vocabulary: HfVocabulary): string {
  const { family } = parseModuleName(module) as ModulePlace;
  const { name } = foreignPlace(`${module}.weight`, linearShape(model, family), model, vocabulary);
  return fullName(name, vocabulary).replace(/\.weight$/, '');
}

/** Where a module's two matrices lie in the file. */
export function adapterNames(module: string, model: ModelShape, vocabulary: HfVocabulary): { loraA: string; loraB: string } {
  const base = `${PEFT_PREFIX}${hfModule(module, model, vocabulary)}`;
  return { loraA: `${base}.lora_A.weight`, loraB: `${base}.lora_B.weight` };
}

/** A [r, in] and B [out, r]: torch's orientation. */
function adapterTensors(
  parameters: ReadonlyMap<string, Tensor>,
  adapters: Adapters,
  model: ModelShape,
  vocabularies: readonly HfVocabulary[],
): Map<string, TensorSource> {
  const tensors = new Map<string, TensorSource>();
  for (const module of adapters.keys()) {
    for (const vocabulary of vocabularies) {
      const names = adapterNames(module, model, vocabulary);
      for (const matrix of ['loraA', 'loraB'] as const) tensors.set(names[matrix], turned(parameters, `${module}.${matrix}`));
    }
  }
  return tensors;
}

/** One matrix of an adapter, turned. */
export function turned(parameters: ReadonlyMap<string, Tensor>, path: string): TensorSource {
  const tensor = parameters.get(path);
  if (!tensor) throw new Error(`${path} is missing from the model`);
  const [rows, columns] = tensor.shape as [number, number];
  return { shape: [columns, rows], data: async () => transpose(tensor.data, rows, columns) };
}
