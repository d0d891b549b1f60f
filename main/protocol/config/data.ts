/** `data`: where the images come from, how they are split, and how they are augmented. */
import { z } from 'zod';
import { field } from './field.ts';

const perChannel = z.array(z.number()).min(1).max(4);

export const DataConfig = z.strictObject({
  source: field(
    z.string().min(1).default('sample'),
    'Source',
    '–',
    '"sample" (shipped Fashion-MNIST subset), "fashion-mnist" (found on this machine), a folder, or tar or parquet files such as "/data/train-{000..099}.tar".',
    true,
  ),
  format: field(
    z.enum(['auto', 'idx', 'cifar10', 'cifar100', 'folder', 'webdataset', 'parquet']).default('auto'),
    'Format',
    '–',
    'How the source is stored; auto looks at the files.',
  ),
  valSource: field(
    z.string().nullable().default(null),
    'Validation source',
    '–',
    'A folder or files with the validation images, when they are not the val or test split of the source.',
  ),
  valFraction: field(
    z.number().min(0.001).max(0.5).default(0.1),
    'Validation share',
    'fraction',
    'Share of each class set aside for validation when the source has no split of its own.',
  ),
  splitKey: field(
    z.string().default('prelora'),
    'Split key',
    '–',
    'Changes which images the split sets aside; the same key gives the same split everywhere.',
  ),
  maxTrain: field(
    z.number().int().min(1).nullable().default(null),
    'Training images at most',
    'images',
    'Use only the first images of the training split; empty uses all.',
  ),
  maxVal: field(
    z.number().int().min(1).nullable().default(null),
    'Validation images at most',
    'images',
    'Use only the first images of the validation split; empty uses all.',
  ),
  labelLevel: field(z.enum(['fine', 'coarse']).default('fine'), 'Label level', '–', 'Which labels of CIFAR-100.'),
  labelField: field(
    z.string().min(1).nullable().default(null),
    'Label field',
    '–',
    'Where a class stands: a key of a WebDataset json, or a column of parquet; empty takes "label", or the only column of classes.',
  ),
  imageField: field(
    z.string().min(1).nullable().default(null),
    'Image field',
    '–',
    'The column of parquet that holds the images; empty takes the only one.',
  ),
  transpose: field(
    z.boolean().default(false),
    'Transpose',
    '–',
    'Swap rows and columns of IDX images (EMNIST is stored column by column).',
  ),
  mean: field(
    perChannel.nullable().default(null),
    'Mean',
    'fraction per channel',
    'Subtracted from the pixels; empty takes the known value of the source, or measures it.',
  ),
  std: field(
    z.array(z.number().positive()).min(1).max(4).nullable().default(null),
    'Standard deviation',
    'fraction per channel',
    'Divides the pixels; empty takes the known value of the source, or measures it.',
  ),
  crop: field(
    z.enum(['randomResized', 'pad', 'none']).default('randomResized'),
    'Crop',
    '–',
    'randomResized: a random area and aspect; pad: pad, then a random crop of the image size; none: resize and centre crop.',
  ),
  cropScaleMin: field(
    z.number().min(0.01).max(1).default(0.08),
    'Smallest crop',
    'fraction',
    'Smallest area of a random crop (aspect 3/4–4/3).',
  ),
  cropPadding: field(
    z.number().int().min(0).max(128).default(4),
    'Crop padding',
    'px',
    'Black border added on each side before a pad crop.',
  ),
  flip: field(z.number().min(0).max(1).default(0.5), 'Flip', 'fraction', 'Chance of a horizontal flip.'),
  colorJitter: field(
    z.number().min(0).max(1).default(0),
    'Colour jitter',
    'fraction',
    'Strength of random brightness, contrast and saturation; 0 is off.',
  ),
  randAugmentOps: field(
    z.number().int().min(0).max(5).default(0),
    'RandAugment operations',
    '–',
    'RandAugment: operations per image (0 = off).',
  ),
  randAugmentMagnitude: field(
    z.number().min(0).max(30).default(9),
    'RandAugment magnitude',
    '–',
    'RandAugment: strength of the operations.',
  ),
  randomErasing: field(
    z.number().min(0).max(1).default(0),
    'Random erasing',
    'fraction',
    'Chance that a random rectangle of the image is erased.',
  ),
  mixupAlpha: field(z.number().min(0).max(5).default(0), 'Mixup alpha', '–', 'Beta parameter of mixup; 0 is off.'),
  cutmixAlpha: field(z.number().min(0).max(5).default(0), 'CutMix alpha', '–', 'Beta parameter of CutMix; 0 is off.'),
  labelSmoothing: field(
    z.number().min(0).max(0.5).default(0.1),
    'Label smoothing',
    'fraction',
    'Share of the target spread over all classes.',
  ),
  maxBroken: field(
    z.number().min(0).max(1).default(0.01),
    'Broken images allowed',
    'fraction',
    'The run refuses to start when more of the images than this (and more than 10) cannot be read.',
  ),
  convertUnusual: field(
    z.boolean().default(false),
    'Convert unusual images',
    '–',
    'Take 16-bit, CMYK and animated images too, converted, instead of leaving them out.',
  ),
  workers: field(
    z.number().int().min(0).max(64).nullable().default(null),
    'Data workers',
    'threads',
    'Threads that decode and augment; 0 does it in the training thread. Results do not depend on it.',
  ),
  prefetch: field(z.number().int().min(1).max(64).default(4), 'Prefetch', 'batches', 'Batches prepared ahead.'),
});
