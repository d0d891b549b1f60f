/** A folder for timm: `create_model("local-dir:folder", pretrained=True)` (formats.md section 5). q, k and v stand stacked. */
import { hiddenDim } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { Tensor } from '../store/safetensors.ts';
import { type ExportContent, type ExportSource, jsonText } from './exportSource.ts';
import { foreignTensors } from './foreignTensors.ts';
import { preprocessingOf, timmPretrained } from './preprocessing.ts';

export const TIMM_WEIGHTS = 'model.safetensors';
export const TIMM_CONFIG = 'config.json';
/** What timm computes with in the folder form, whatever the folder says. */
export const TIMM_EPS = 1e-6;

/** Architectures that timm has by name; `model_args` override all that differs. */
const ARCHITECTURES: readonly { name: string; embedDim: number; patchSize: number }[] = [
  { name: 'vit_tiny_patch16_224', embedDim: 192, patchSize: 16 },
  { name: 'vit_small_patch16_224', embedDim: 384, patchSize: 16 },
  { name: 'vit_small_patch32_224', embedDim: 384, patchSize: 32 },
  { name: 'vit_base_patch16_224', embedDim: 768, patchSize: 16 },
  { name: 'vit_base_patch32_224', embedDim: 768, patchSize: 32 },
  { name: 'vit_base_patch8_224', embedDim: 768, patchSize: 8 },
  { name: 'vit_large_patch16_224', embedDim: 1024, patchSize: 16 },
  { name: 'vit_huge_patch14_224', embedDim: 1280, patchSize: 14 },
];

/** The folder without its README. `parameters` are those of a whole model: merged, or the base under an adapter. */
export function timmFolder({ config, classes }: ExportSource, parameters: ReadonlyMap<string, Tensor>): ExportContent {
  const { model } = config;
  const preprocessing = preprocessingOf(config);
  const json = {
    ...timmConfig(model, classes),
    ...(preprocessing ? { pretrained_cfg: timmPretrained(preprocessing, model) } : {}),
  };
  return {
    texts: new Map([[TIMM_CONFIG, jsonText(json)]]),
    tensors: new Map([[TIMM_WEIGHTS, foreignTensors(parameters, model, 'timm')]]),
  };
}

export function timmConfig(model: ModelShape, classes: readonly string[]): Record<string, unknown> {
  return {
    architecture: nearestArchitecture(model),
    num_classes: model.numClasses,
    num_features: model.embedDim,
    global_pool: 'token',
    label_names: classes,
    model_args: {
      img_size: model.imageSize,
      patch_size: model.patchSize,
      in_chans: model.inChannels,
      embed_dim: model.embedDim,
      depth: model.depth,
      num_heads: model.numHeads,
      mlp_ratio: timmRatio(model),
      qkv_bias: model.qkvBias,
      class_token: true,
      global_pool: 'token',
    },
  };
}

/** By width, then by patch: what is loaded is decided by `model_args`; the name is for people. */
function nearestArchitecture({ embedDim, patchSize }: ModelShape): string {
  const distance = (own: (typeof ARCHITECTURES)[number]): number =>
    Math.abs(Math.log(own.embedDim / embedDim)) * 100 + Math.abs(Math.log(own.patchSize / patchSize));
  return ARCHITECTURES.reduce((nearest, own) => (distance(own) < distance(nearest) ? own : nearest)).name;
}

/** timm computes the hidden width as int(width · ratio): a ratio that cuts back to ours in doubles. */
export function timmRatio(model: ModelShape): number {
  const hidden = hiddenDim(model);
  const plain = hidden / model.embedDim;
  return Math.trunc(model.embedDim * plain) === hidden ? plain : (hidden + 0.5) / model.embedDim;
}
