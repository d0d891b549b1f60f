/**
 * Weights of a ViT that somebody else trained, as the start of a run of ours (formats.md section 7). What does not fit is refused with the
 * tensor, the shape wanted and the shape found; nothing is guessed and nothing is left random but a head for other classes, which is said.
 */
import { parameterShapes, type Shape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Tensor } from '../store/safetensors.ts';
import {
  type ForeignPlace,
  foreignPlace,
  type ShapeSizes,
  sizesFromShapes,
  toNative,
  type Vocabulary,
  vocabularyOf,
} from './foreignNames.ts';
import { openWeightFiles, type WeightFiles } from './weightFiles.ts';

export interface StartWeights {
  /** By our paths; without the head when the classes differ. */
  tensors: Map<string, Tensor>;
  /** What a user should know, one sentence each. */
  notes: string[];
}

/** What a file of weights is, without its values: sizes for the config, null where only the user knows. */
export interface WeightsDescription {
  vocabulary: Vocabulary;
  model: ShapeSizes & { numHeads: number | null; layerNormEps: number | null };
  notes: string[];
}

/** More names than this are only counted. */
const SHOWN = 8;
const TIMM_EPS = 1e-6;
const HF_EPS = 1e-12;
const TIMM_VARIANTS = /^(reg_token|norm_pre|fc_norm|attn_pool|head_dist)\b|\.(ls1|ls2|q_norm|k_norm)\b|(ls1|ls2)\.gamma$/;

/** Sizes of the weights at `source`. Throws `not-found`, `unsafe-tensors`, or `bad-config` for a model that is no plain ViT. */
export async function describeStartWeights(source: string): Promise<WeightsDescription> {
  const files = await openWeightFiles(source);
  try {
    return describe(source, files);
  } finally {
    await files.close();
  }
}

/** The weights at `source`, in our names and orientation. Throws as `describeStartWeights`, and `bad-config` for every misfit. */
export async function readStartWeights(source: string, model: ModelShape): Promise<StartWeights> {
  const files = await openWeightFiles(source);
  try {
    const { vocabulary, model: there, notes } = describe(source, files);
    const hasHead = there.numClasses === model.numClasses;
    const places = wantedPlaces(model, vocabulary, hasHead);
    checkFit(source, files, model, places);
    checkUnseen(source, model, there);
    const weights = new Map<string, Tensor>();
    for (const [path, { place, shape }] of places) {
      const { data } = await files.read(place.name);
      weights.set(path, { shape, data: toNative(data, place, model) });
    }
    return { tensors: weights, notes: [...notes, ...(hasHead ? [] : [newHead(there.numClasses, model.numClasses)])] };
  } finally {
    await files.close();
  }
}

function newHead(there: number | null, here: number): string {
  return `the weights have ${there === null ? 'no head' : `a head for ${there} classes`}, the data has ${here}: the head starts from random values`;
}

function describe(source: string, { config, shapes, converted }: WeightFiles): WeightsDescription {
  const names = [...shapes.keys()];
  refuseVariants(source, names);
  const vocabulary = vocabularyOf(names);
  if (vocabulary === null) {
    const ours = names.includes('patchEmbed.weight');
    refuse(source, ours ? 'is a file of a run of ours; give the folder of the run' : 'holds no ViT in the names of Hugging Face or timm');
  }
  if (vocabulary !== 'timm') checkHuggingFace(source, config);
  const sizes = sizesFromShapes(shapes, vocabulary);
  const notes = converted > 0 ? [`${converted} of ${names.length} tensors are not float32 and are converted`] : [];
  if (names.some((name) => name.startsWith('pooler.'))) notes.push('the pooler is not used and is left out');
  return { vocabulary, model: { ...sizes, ...unseenSizes(config, vocabulary) }, notes };
}

function refuseVariants(source: string, names: readonly string[]): void {
  if (names.some((name) => /lora_[AB]/i.test(name))) refuse(source, 'is an adapter; import its base, or merge first');
  if (names.some((name) => /dist(illation)?_token$/.test(name))) refuse(source, 'DeiT distillation token: not representable');
  const variant = names.find((name) => TIMM_VARIANTS.test(name));
  if (variant) refuse(source, `timm variant with ${variant}: not representable`);
}

function checkHuggingFace(source: string, config: WeightFiles['config']): void {
  if (config === null) return;
  for (const [field, wanted] of [
    ['model_type', 'vit'],
    ['hidden_act', 'gelu'],
  ] as const) {
    const value = config[field];
    if (value !== undefined && value !== wanted) refuse(source, `${field} is ${JSON.stringify(value)}; only ${wanted} can be imported`);
  }
}

/** Heads and epsilon leave no trace in the shapes; a folder's config.json tells them. */
function unseenSizes(
  config: WeightFiles['config'],
  vocabulary: Vocabulary,
): Pick<WeightsDescription['model'], 'numHeads' | 'layerNormEps'> {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  if (config === null) return { numHeads: null, layerNormEps: null };
  if (vocabulary !== 'timm') return { numHeads: number(config.num_attention_heads), layerNormEps: number(config.layer_norm_eps) ?? HF_EPS };
  const { num_heads: heads } = (config.model_args ?? {}) as Record<string, unknown>;
  return { numHeads: number(heads), layerNormEps: TIMM_EPS };
}

type Places = Map<string, { place: ForeignPlace; shape: Shape }>;

function wantedPlaces(model: ModelShape, vocabulary: Vocabulary, hasHead: boolean): Places {
  const wanted = [...parameterShapes(model)].filter(([path]) => hasHead || !path.startsWith('head.'));
  return new Map(wanted.map(([path, shape]) => [path, { shape, place: foreignPlace(path, shape, model, vocabulary) }]));
}

/** Every tensor that we want is there in its shape, and nothing else is. */
function checkFit(source: string, { shapes }: WeightFiles, model: ModelShape, places: Places): void {
  const wanted = new Map([...places.values()].map(({ place }) => [place.name, place.shape]));
  const misfits = [...wanted].filter(([name, shape]) => shapes.has(name) && String(shapes.get(name)) !== String(shape));
  const [misfit] = misfits;
  if (misfit) {
    const [name, shape] = misfit;
    const more = misfits.length > 1 ? `; ${tensors(misfits.slice(1))} more differ` : '';
    refuse(source, `${name}: has shape [${shapes.get(name)}], the config wants [${shape}]${hint(name, shapes, model)}${more}`);
  }
  const missing = [...wanted.keys()].filter((name) => !shapes.has(name));
  if (missing.length > 0) refuse(source, `the config wants ${tensors(missing)} more: ${list(missing)}`);
  const spare = [...shapes.keys()].filter((name) => !wanted.has(name) && !/^(pooler|classifier|head)\./.test(name));
  if (spare.length > 0) refuse(source, `the config's model has no place for ${tensors(spare)}: ${list(spare)}`);
}

/** The one setting that most often causes the misfit. */
function hint(name: string, shapes: WeightFiles['shapes'], model: ModelShape): string {
  const tokens = shapes.get(name)?.[1];
  if (!/pos_?(embed|ition_embeddings)$/.test(name) || tokens === undefined) return '';
  const grid = Math.sqrt(tokens - 1);
  return Number.isInteger(grid) ? `; they were trained at ${grid * model.patchSize} px: set model.imageSize to that` : '';
}

function checkUnseen(source: string, model: ModelShape, there: WeightsDescription['model']): void {
  for (const field of ['numHeads', 'layerNormEps'] as const) {
    const value = there[field];
    if (value !== null && value !== model[field]) {
      refuse(source, `was trained with ${field} ${value}, the config says ${model[field]}: set model.${field} to ${value}`);
    }
  }
}

function tensors(names: readonly unknown[]): string {
  return `${names.length} tensor${names.length === 1 ? '' : 's'}`;
}

function list(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `${names.slice(0, SHOWN).join(', ')}${more}`;
}

function refuse(source: string, rule: string): never {
  throw new PreloraError('bad-config', `start weights ${source}: ${rule}`, 'model.startFrom');
}
