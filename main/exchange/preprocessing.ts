/**
 * How an image becomes the model's input, as plain data (formats.md section 8): ours, in prelora.json; Hugging Face's, in
 * preprocessor_config.json; timm's, in pretrained_cfg. Each is written from ours, and read back into ours for the check.
 */
import { type EvalGeometry, evalGeometry } from '../core/evalGeometry.ts';
import type { ResolvedConfig } from '../protocol/config.ts';

export interface Preprocessing {
  decode: { color: 'rgb' | 'gray'; exif: true; alpha: 'drop' };
  resize: { shortEdge: number };
  crop: number;
  filter: 'bilinear';
  /** 1/255. */
  rescale: number;
  /** Per channel. */
  mean: readonly number[];
  std: readonly number[];
}

/** What a check compares of preprocessing that was read from a file. */
export interface ReadPreprocessing {
  geometry: EvalGeometry;
  mean: readonly number[];
  std: readonly number[];
}

const RESCALE = 1 / 255;
/** Pillow's number for bilinear. */
const BILINEAR = 2;

/** Null for a model of 2 or 4 channels: no image file becomes such an input by a rule that other programs know. */
export function preprocessingOf({ model, data }: ResolvedConfig): Preprocessing | null {
  if (model.inChannels !== 1 && model.inChannels !== 3) return null;
  const { shortEdge, crop } = evalGeometry(model.imageSize, data.crop);
  return {
    decode: { color: model.inChannels === 1 ? 'gray' : 'rgb', exif: true, alpha: 'drop' },
    resize: { shortEdge },
    crop,
    filter: 'bilinear',
    rescale: RESCALE,
    mean: data.mean,
    std: data.std,
  };
}

/** Ours, as prelora.json and the metadata of an ONNX file hold it. */
export function readPreprocessing({ resize, crop, mean, std }: Preprocessing): ReadPreprocessing {
  return { geometry: { shortEdge: resize.shortEdge, crop }, mean, std };
}

export function hfPreprocessor({ decode, resize, crop, rescale, mean, std }: Preprocessing): Record<string, unknown> {
  return {
    image_processor_type: 'CLIPImageProcessor',
    do_resize: true,
    size: { shortest_edge: resize.shortEdge },
    resample: BILINEAR,
    do_center_crop: true,
    crop_size: { height: crop, width: crop },
    do_rescale: true,
    rescale_factor: rescale,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    do_convert_rgb: decode.color === 'rgb',
  };
}

/** As Hugging Face's processor would take it. Throws when a value is not one that we write: then its pixels would be others. */
export function readHfPreprocessor(file: Record<string, unknown>): ReadPreprocessing {
  const wanted = {
    do_resize: true,
    do_center_crop: true,
    do_rescale: true,
    do_normalize: true,
    resample: BILINEAR,
    rescale_factor: RESCALE,
  };
  for (const [key, value] of Object.entries(wanted)) if (file[key] !== value) throw new Error(`${key} is ${file[key]}, not ${value}`);
  const { shortest_edge: shortEdge } = file.size as { shortest_edge: number };
  const { height, width } = file.crop_size as { height: number; width: number };
  if (height !== width) throw new Error(`crop_size is ${height} × ${width}, not square`);
  return { geometry: { shortEdge, crop: height }, mean: file.image_mean as number[], std: file.image_std as number[] };
}

/** The `pretrained_cfg` of a timm folder. */
export function timmPretrained(
  { crop, resize, mean, std }: Preprocessing,
  model: { inChannels: number; numClasses: number },
): Record<string, unknown> {
  return {
    input_size: [model.inChannels, crop, crop],
    fixed_input_size: true,
    interpolation: 'bilinear',
    crop_pct: crop === resize.shortEdge ? 1 : 0.875,
    crop_mode: 'center',
    mean,
    std,
    num_classes: model.numClasses,
    first_conv: 'patch_embed.proj',
    classifier: 'head',
    license: 'other',
  };
}

/** timm scales the shorter edge to ⌊side / crop_pct⌋. */
export function readTimmPretrained(cfg: Record<string, unknown>): ReadPreprocessing {
  const [, crop = 0] = cfg.input_size as number[];
  if (cfg.crop_mode !== 'center' || cfg.interpolation !== 'bilinear')
    throw new Error('crop_mode or interpolation is not the one we train with');
  return {
    geometry: { shortEdge: Math.floor(crop / (cfg.crop_pct as number)), crop },
    mean: cfg.mean as number[],
    std: cfg.std as number[],
  };
}
