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
import { foreignPlace, transpose, type Vocabulary } from './foreignNames.ts';
import { fullName } from './foreignTensors.ts';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** Vocabularies of Hugging Face; timm has another form of adapter. */
export type HfVocabulary = Exclude<Vocabulary, 'timm'>;
export const HF_VOCABULARIES: readonly HfVocabulary[] = ['classic', 'renamed'];

const PEFT_PREFIX = 'base_model.model.';

/** Module endings in both vocabularies, as a regular expression that Python and JavaScript read alike. */
const ENDINGS: Record<Family, string> = {
  q: '(attention\\.attention\\.query|attention\\.q_proj)',
  k: '(attention\\.attention\\.key|attention\\.k_proj)',
  v: '(attention\\.attention\\.value|attention\\.v_proj)',
  proj: '(attention\\.output\\.dense|attention\\.o_proj)',
  fc1: '(intermediate\\.dense|mlp\\.fc1)',
  fc2: '(output\\.dense|mlp\\.fc2)',
};

/** The adapter's folder without its README. */
export function peftAdapter({ config, parameters, adapters }: ExportSource, names: ExportSettings['names']): ExportContent {
  const vocabularies = names === 'both' ? HF_VOCABULARIES : [names];
  return {
    texts: new Map([[ADAPTER_CONFIG, jsonText(adapterConfig(adapters, config.prelora.loraDropRate))]]),
    tensors: new Map([[ADAPTER_WEIGHTS, adapterTensors(parameters, adapters, config.model, vocabularies)]]),
  };
}

/** `target_modules`, `rank_pattern` and `alpha_pattern` name exactly the adapted modules, each once. */
export function adapterConfig(adapters: Adapters, dropout: number): Record<string, unknown> {
  const keys = [...adapters].map(([module, own]) => ({ key: moduleKey(module), ...own }));
  const largest = keys.reduce((most, own) => (own.rank > most.rank ? own : most), keys[0] as (typeof keys)[number]);
  return {
    peft_type: 'LORA',
    task_type: null,
    inference_mode: true,
    auto_mapping: { base_model_class: 'ViTForImageClassification', parent_library: 'transformers.models.vit.modeling_vit' },
    // Taken from the working directory; "../base" would be refused as the name of a repository.
    base_model_name_or_path: 'base',
    r: largest.rank,
    lora_alpha: largest.alpha,
    target_modules: `(.*\\.)?(${keys.map(({ key }) => key).join('|')})`,
    rank_pattern: Object.fromEntries(keys.map(({ key, rank }) => [key, rank])),
    alpha_pattern: Object.fromEntries(keys.map(({ key, alpha }) => [key, alpha])),
    lora_dropout: dropout,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
    revision: null,
    modules_to_save: null,
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

function turned(parameters: ReadonlyMap<string, Tensor>, path: string): TensorSource {
  const tensor = parameters.get(path);
  if (!tensor) throw new Error(`${path} is missing from the model`);
  const [rows, columns] = tensor.shape as [number, number];
  return { shape: [columns, rows], data: async () => transpose(tensor.data, rows, columns) };
}
