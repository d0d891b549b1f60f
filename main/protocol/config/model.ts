/** `model`: the geometry of the Vision Transformer and its start. Ranges and help texts are those of method.md section 2. */
import { z } from 'zod';
import { field } from './field.ts';

const MODEL_SIZES = ['tiny', 'small', 'base', 'large', 'huge', 'custom'] as const;

export const ModelConfig = z.strictObject({
  size: field(
    z.enum(MODEL_SIZES).default('tiny'),
    'Model size',
    '–',
    'Sets width, depth, heads and patch size; custom leaves them to you.',
    true,
  ),
  imageSize: field(
    z.number().int().min(8).max(1024).default(224),
    'Image size',
    'px',
    'Side of the square input; patchSize must divide it.',
    true,
  ),
  patchSize: field(
    z.number().int().min(1).max(1024).nullable().default(null),
    'Patch size',
    'px',
    'Side of a patch; smaller patches mean more tokens.',
    true,
  ),
  inChannels: field(z.number().int().min(1).max(4).nullable().default(null), 'Input channels', '–', 'Colour channels of the input.'),
  numClasses: field(z.number().int().min(2).max(1_000_000).nullable().default(null), 'Classes', '–', 'Outputs of the head.'),
  embedDim: field(z.number().int().min(8).max(4096).nullable().default(null), 'Width', '–', 'Token width; numHeads must divide it.'),
  depth: field(z.number().int().min(1).max(64).nullable().default(null), 'Depth', 'blocks', 'Number of blocks.'),
  numHeads: field(z.number().int().min(1).max(64).nullable().default(null), 'Heads', '–', 'Number of attention heads.'),
  mlpRatio: field(
    z.number().min(0.5).max(8).default(4),
    'MLP ratio',
    '–',
    'Hidden width of the feed-forward part, as a multiple of embedDim.',
  ),
  qkvBias: field(z.boolean().default(true), 'q, k, v bias', '–', 'Bias on q, k and v.'),
  layerNormEps: field(
    z.number().min(1e-12).max(1e-3).default(1e-6),
    'LayerNorm epsilon',
    '–',
    'Added to the variance in every LayerNorm (paper recipe 1e-12).',
  ),
  initStd: field(z.number().min(0.001).max(0.1).default(0.02), 'Init spread', '–', 'Spread of the initial weights.'),
  startFrom: field(
    z.string().min(1).nullable().default(null),
    'Start weights',
    'file or folder',
    'Weights to start from: a Hugging Face or timm folder, a safetensors file, or a run; empty starts from random ones.',
    true,
  ),
  dropRate: field(z.number().min(0).max(0.9).default(0), 'Dropout', 'fraction', 'Dropout after embeddings, proj and fc2.'),
  attnDropRate: field(z.number().min(0).max(0.9).default(0), 'Attention dropout', 'fraction', 'Dropout on attention weights.'),
  dropPathRate: field(
    z.number().min(0).max(0.9).default(0),
    'Drop path',
    'fraction',
    'Chance to skip a residual branch; grows linearly from 0 to this over the blocks.',
  ),
});
