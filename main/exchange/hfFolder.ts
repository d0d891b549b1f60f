/** A folder for Hugging Face transformers: `ViTForImageClassification.from_pretrained(folder)` (formats.md section 3). Classic names, always. */
import { hiddenDim } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { Tensor } from '../store/safetensors.ts';
import { type ExportContent, type ExportSource, jsonText } from './exportSource.ts';
import { foreignTensors } from './foreignTensors.ts';
import { hfPreprocessor, preprocessingOf } from './preprocessing.ts';

export const HF_WEIGHTS = 'model.safetensors';
export const HF_CONFIG = 'config.json';
export const HF_PREPROCESSOR = 'preprocessor_config.json';

/** The folder without its README. `parameters` are those of a whole model: merged, or the base under an adapter. */
export function hfFolder({ config, classes }: ExportSource, parameters: ReadonlyMap<string, Tensor>): ExportContent {
  const preprocessing = preprocessingOf(config);
  const texts = new Map([[HF_CONFIG, jsonText(hfConfig(config.model, classes))]]);
  if (preprocessing) texts.set(HF_PREPROCESSOR, jsonText(hfPreprocessor(preprocessing)));
  return { texts, tensors: new Map([[HF_WEIGHTS, foreignTensors(parameters, config.model, 'classic')]]) };
}

/** What transformers builds the model from. The epsilon stands there always: its own default is another one than timm's. */
export function hfConfig(model: ModelShape, classes: readonly string[]): Record<string, unknown> {
  return {
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    hidden_size: model.embedDim,
    num_hidden_layers: model.depth,
    num_attention_heads: model.numHeads,
    intermediate_size: hiddenDim(model),
    hidden_act: 'gelu',
    layer_norm_eps: model.layerNormEps,
    image_size: model.imageSize,
    patch_size: model.patchSize,
    num_channels: model.inChannels,
    qkv_bias: model.qkvBias,
    hidden_dropout_prob: model.dropRate,
    attention_probs_dropout_prob: model.attnDropRate,
    initializer_range: model.initStd,
    id2label: Object.fromEntries(classes.map((name, index) => [String(index), name])),
    label2id: Object.fromEntries(classes.map((name, index) => [name, index])),
    torch_dtype: 'float32',
  };
}
