/**
 * The run's configuration: every field once, with type, range, default, unit, label and help. The form, the CLI's messages, the
 * JSON Schema, the docs and the stored `config.json` all derive from here. Ranges and help texts of `model`, `train`, `prelora`
 * and `control` are method.md sections 2 to 4, word for word. `null` means "decided when the run is created" (by the model size,
 * the data or the length of the run); core/resolveConfig.ts fills those in, so that a stored config holds no null it could resolve.
 */
import './jitless.ts';
import { z } from 'zod';

export const CONFIG_VERSION = 1;

/** What a form, a help page or an error message needs to know of a field beside its type. */
export interface FieldMeta {
  title: string;
  unit?: string;
  help: string;
  /** Shown in the "Basic" form. */
  basic?: boolean;
}

const field = <T extends z.ZodType>(schema: T, title: string, unit: string, help: string, basic = false): T =>
  schema.meta({ title, unit, help, ...(basic ? { basic } : {}) }) as T;

/** A number of optimizer steps, or text such as "2ep" (epochs). method.md section 1. */
export const Duration = z.union([
  z.number().int().min(0),
  z.string().regex(/^\d+(\.\d+)?(e-?\d+)?ep$/, 'must be a whole number of steps or text such as "2ep"'),
]);
export type Duration = z.output<typeof Duration>;

/** Out of range says only that: a number is told one fault at a time. */
const powerOfTwo = z
  .number()
  .int({ abort: true })
  .min(1, { abort: true })
  .max(1024, { abort: true })
  .refine((rank) => Number.isInteger(Math.log2(rank)), 'must be a power of two from 1 to 1024');

export const FAMILIES = ['q', 'k', 'v', 'proj', 'fc1', 'fc2'] as const;
export const Family = z.enum(FAMILIES);
export type Family = z.output<typeof Family>;

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

const clockTime = z
  .string()
  .refine(
    (text) => /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$/.test(text),
    'must be a date and a time such as 2026-11-28T07:00',
  );

const beta = z.number().min(0).max(0.9999);

export const TrainConfig = z.strictObject({
  epochs: field(z.number().int().min(1).max(10_000).default(100), 'Epochs', 'epochs', 'Length of the run.', true),
  batchSize: field(z.number().int().min(1).max(65_536).default(128), 'Batch size', 'images', 'Images per optimizer update.', true),
  microBatch: field(
    z.number().int().min(1).max(65_536).nullable().default(null),
    'Micro-batch',
    'images',
    'Images per forward pass; smaller saves memory.',
  ),
  dropLast: field(z.boolean().default(true), 'Drop last batch', '–', 'Leave out the last, incomplete batch of an epoch.'),
  lr: field(z.number().min(1e-7).max(1).default(1e-3), 'Learning rate', '–', 'Highest learning rate.', true),
  lrWarmupSteps: field(Duration.nullable().default(null), 'LR warm-up', 'duration', 'Linear ramp of the learning rate at the start.'),
  lrFloor: field(z.number().min(0).max(1).default(0), 'LR floor', 'fraction of lr', 'Where the cosine ends.'),
  weightDecay: field(z.number().min(0).max(1).default(0.05), 'Weight decay', '–', 'Decoupled decay, multiplied by the learning rate.'),
  decayGroups: field(
    z.enum(['weights', 'all']).default('weights'),
    'Decay groups',
    '–',
    'weights: no decay on bias, LayerNorm, clsToken, posEmbed; all: on every tensor.',
  ),
  beta1: field(beta.default(0.9), 'Beta 1', '–', 'AdamW first moment.'),
  beta2: field(beta.default(0.999), 'Beta 2', '–', 'AdamW second moment.'),
  adamEps: field(z.number().positive().max(1).default(1e-8), 'Adam epsilon', '–', 'AdamW denominator guard.'),
  seed: field(
    z.number().int().min(0).max(2_147_483_647).default(0),
    'Random seed',
    '–',
    'The one number all random streams are derived from.',
    true,
  ),
  gradClip: field(z.number().min(0).max(1000).default(1), 'Gradient clip', 'L2 norm', 'Limit on the global gradient norm; 0 is off.'),
  evalEvery: field(
    z.number().int().min(1).max(10_000).default(1),
    'Evaluate every',
    'epochs',
    'Epochs between evaluations; the last epoch is always evaluated.',
  ),
  checkpointEvery: field(Duration.default('1ep'), 'Checkpoint every', 'duration', 'Time between checkpoints; 0 writes only the last.'),
  keepCheckpoints: field(
    z.number().int().min(1).max(1000).default(2),
    'Keep checkpoints',
    'checkpoints',
    'How many of the newest stay beside the best, the last and the pinned ones.',
  ),
  earlyStopPatience: field(
    z.number().int().min(0).max(10_000).default(0),
    'Early stop',
    'epochs',
    'Stop after this many evaluations without a better validation top-1; 0 is off.',
  ),
  latestEnd: field(
    clockTime.nullable().default(null),
    'Latest end',
    'date and time',
    'The run ends with the last epoch that fits before this time, local unless it names a zone; empty has no limit.',
  ),
  emaDecay: field(
    z.number().min(0).max(0.99999).default(0),
    'EMA decay',
    'fraction',
    'Keep an exponential average of the weights and evaluate that; 0 is off.',
  ),
});

export const PreloraConfig = z.strictObject({
  switching: field(
    z.enum(['auto', 'manual', 'off']).default('auto'),
    'Switching',
    '–',
    'auto: the test switches; manual: it only tells you; off: full training to the end.',
    true,
  ),
  snapshotEvery: field(Duration.default('1ep'), 'Snapshot every', 'duration', 'How often weight norms are measured and the test is made.'),
  windowSize: field(
    z.number().int().min(2).max(10).default(3),
    'Window',
    'snapshots',
    'Snapshots that must agree; 3 snapshots are 2 comparisons.',
  ),
  tau: field(
    z.number().gt(0).max(100).default(1),
    'Weight threshold τ',
    '% per snapshot interval',
    "Every family's mean weight change must be below this.",
    true,
  ),
  zeta: field(
    z.number().gt(0).max(100).default(5),
    'Loss threshold ζ',
    '% per snapshot interval',
    'The training loss may change by at most this.',
    true,
  ),
  normMetric: field(
    z.enum(['norm', 'displacement']).default('norm'),
    'Norm metric',
    '–',
    'norm: change of the matrix norm; displacement: distance moved.',
  ),
  layerWeighting: field(
    z.enum(['uniform', 'power', 'linear', 'exponential']).default('uniform'),
    'Layer weighting',
    '–',
    "How layers count in a family's mean.",
  ),
  testFamilies: field(
    z.union([z.literal('targets'), z.array(Family).min(1)]).default('targets'),
    'Tested families',
    '–',
    'Families that take part in the test.',
  ),
  minStep: field(Duration.nullable().default(null), 'First tested step', 'duration', 'Snapshots before this do not count in the test.'),
  trackDisplacement: field(
    z.boolean().default(true),
    'Track displacement',
    '–',
    'Keep the previous weights to measure distance (4 bytes per watched weight in main memory).',
  ),
  targetModules: field(
    z.union([z.literal('paper'), z.array(z.string())]).default([...FAMILIES]),
    'Target modules',
    '–',
    'What gets adapters; paper = q, v, proj, fc1, fc2 (k stays unadapted and trainable).',
  ),
  rankMetric: field(
    z.enum(['weight', 'grad']).default('weight'),
    'Rank metric',
    '–',
    'What ranks modules: change of weights (paper) or of gradient norms (code).',
  ),
  rankPool: field(z.enum(['family', 'overall']).default('family'), 'Rank pool', '–', 'Compare a module with its family or with all.'),
  rMin: field(powerOfTwo.default(4), 'Smallest rank', 'rank', 'Smallest rank given.'),
  rMax: field(powerOfTwo.default(32), 'Largest rank', 'rank', 'Largest rank given.'),
  rankBudget: field(
    z.number().gt(0).max(100).nullable().default(null),
    'Rank budget',
    '% of all parameters',
    'Ceiling for the trainable share after the freeze (the page also takes a count).',
  ),
  rankOverrides: field(
    z.record(z.string(), z.number().int().min(0)).default({}),
    'Rank overrides',
    'module → rank',
    'Ranks you set by hand, 0 = no adapter; the budget leaves them alone.',
  ),
  alphaMode: field(z.enum(['2r', 'r', 'constant']).default('2r'), 'Alpha mode', '–', 'Scaling γ = α/r: 2, 1, or alphaValue/r.'),
  alphaValue: field(z.number().gt(0).max(1024).default(16), 'Alpha', '–', 'Used with alphaMode constant only.'),
  loraDropRate: field(z.number().min(0).max(0.9).default(0), 'Adapter dropout', 'fraction', "Dropout on the adapters' input."),
  graceSteps: field(Duration.default(0), 'Grace time', 'duration', 'Time between a passed test and the switch, for a veto.'),
  jointSteps: field(Duration.default('1ep'), 'Joint warm-up', 'duration', 'How long base and adapters train together.'),
  alsoFreeze: field(
    z.array(z.enum([...FAMILIES, 'norms', 'embeddings'])).default([]),
    'Also freeze',
    '–',
    'What else to freeze; never the head.',
  ),
  optimizerAtSwitch: field(
    z.enum(['reset', 'keepByName']).default('reset'),
    'Optimizer at the switch',
    '–',
    'Fresh AdamW there (as the authors), or keep the moments of tensors that go on.',
  ),
  optimizerAtFreeze: field(
    z.enum(['reset', 'keepByName']).default('reset'),
    'Optimizer at the freeze',
    '–',
    'Fresh AdamW there (as the authors), or keep the moments of tensors that go on.',
  ),
  lrRampSteps: field(Duration.default(100), 'LR ramp', 'duration', 'Learning-rate ramp after the freeze; 0 is off.'),
});

export const ControlConfig = z.strictObject({
  action: field(
    z.enum(['prelora', 'freezeOnly', 'resetOnly']).default('prelora'),
    'Action',
    '–',
    'Controls: freeze without adapters; only reset the optimizer at the switch.',
  ),
  fixedEpoch: field(z.number().gt(0).nullable().default(null), 'Fixed epoch', 'epochs', 'Switch at this time, whatever the test says.'),
  ranks: field(z.enum(['assigned', 'uniform', 'reversed']).default('assigned'), 'Ranks', '–', 'Controls for the rank rule.'),
  uniformRank: field(
    z.union([powerOfTwo, z.literal('matched')]).default(8),
    'Uniform rank',
    'rank',
    "With uniform ranks: this one; matched: the largest whose adapters are no bigger than the assigned plan's, budget included.",
  ),
});

export const EngineConfig = z.strictObject({
  backend: field(
    z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
    'Backend',
    '–',
    'Compute library: auto takes the native one where it is installed, else wasm.',
  ),
  compiled: field(
    z.boolean().default(true),
    'Compiled step',
    '–',
    'Run the training step as one native graph where the backend can; off runs it operation by operation.',
  ),
  threads: field(
    z.number().int().min(1).max(1024).nullable().default(null),
    'Threads',
    'threads',
    'Threads inside an operation; empty takes all cores. Exact resume needs the same number.',
  ),
  xla: field(
    z.boolean().default(false),
    'XLA clustering',
    '–',
    'Let TensorFlow compile clusters of operations with XLA (native backend, compiled step).',
  ),
});

export const LoggingConfig = z.strictObject({
  metricsEvery: field(z.number().int().min(1).max(10_000).default(1), 'Metrics every', 'steps', 'Steps between lines of metrics.jsonl.'),
});

export const RunConfig = z.strictObject({
  schemaVersion: z.literal(CONFIG_VERSION).default(CONFIG_VERSION),
  name: field(z.string().max(200).default(''), 'Name', '–', 'What the run is called; empty takes the preset and the date.'),
  preset: field(z.string().nullable().default(null), 'Preset', '–', 'The preset this config started from (for the record).'),
  model: ModelConfig.prefault({}),
  data: DataConfig.prefault({}),
  train: TrainConfig.prefault({}),
  prelora: PreloraConfig.prefault({}),
  control: ControlConfig.prefault({}),
  engine: EngineConfig.prefault({}),
  logging: LoggingConfig.prefault({}),
});
/** A config as the user means it: every field has a value, some still null. */
export type RunConfig = z.output<typeof RunConfig>;
/** A config as it is written: any field may be missing. */
export type RunConfigInput = z.input<typeof RunConfig>;

type NonNull<T, K extends keyof T> = Omit<T, K> & { [P in K]: NonNullable<T[P]> };

/** The geometry of a ViT with nothing left open; what model/, lora/ and core/ compute from. */
export type ModelShape = NonNull<
  z.output<typeof ModelConfig>,
  'patchSize' | 'inChannels' | 'numClasses' | 'embedDim' | 'depth' | 'numHeads'
>;

/** A config after resolveConfig with the data known: nothing is null that training needs. Durations stay as written. */
export type ResolvedConfig = Omit<RunConfig, 'model' | 'data' | 'train' | 'prelora'> & {
  model: ModelShape;
  data: NonNull<RunConfig['data'], 'mean' | 'std'>;
  train: NonNull<RunConfig['train'], 'microBatch' | 'lrWarmupSteps'>;
  prelora: NonNull<RunConfig['prelora'], 'minStep'>;
};
