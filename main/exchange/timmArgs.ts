/**
 * A config from the `args.yaml` that timm's train.py writes beside its results (timm 1.0, formats.md section 11): what means the same is taken,
 * what must be worked out is shown with its sum, and what has no counterpart is listed when it was not at timm's default.
 */
import { PreloraError } from '../protocol/reply.ts';

export interface TimmConfig {
  /** Fields for a config, by section. */
  config: { model: Fields; data: Fields; train: Fields };
  /** Arguments taken as they are, as `train.epochs = 300 (epochs)`. */
  taken: string[];
  /** Values that were worked out, with how. */
  computed: string[];
  /** Arguments without a counterpart that were not at their default, as `reprob 0.25`. */
  dropped: string[];
}

type Fields = Record<string, unknown>;

interface TimmOptions {
  /** Processes of the run: `batch_size` is that of one. */
  processes?: number;
}

/** timm's defaults of what has no counterpart here, or none that is the same. */
const WITHOUT_COUNTERPART: Fields = {
  color_jitter: 0.4,
  reprob: 0,
  aug_repeats: 0,
  model_ema: false,
  bce_loss: false,
  layer_decay: null,
  cooldown_epochs: 0,
  warmup_lr: 1e-5,
  amp: false,
  drop: 0,
  no_aug: false,
  vflip: 0,
};

/** timm's names of what is the same value here. */
const SAME: [string, keyof TimmConfig['config'], string][] = [
  ['in_chans', 'model', 'inChannels'],
  ['num_classes', 'model', 'numClasses'],
  ['drop_path', 'model', 'dropPathRate'],
  ['smoothing', 'data', 'labelSmoothing'],
  ['mixup', 'data', 'mixupAlpha'],
  ['cutmix', 'data', 'cutmixAlpha'],
  ['hflip', 'data', 'flip'],
  ['mean', 'data', 'mean'],
  ['std', 'data', 'std'],
  ['epochs', 'train', 'epochs'],
  ['weight_decay', 'train', 'weightDecay'],
  ['opt_eps', 'train', 'adamEps'],
];

/** Whether a YAML file is one of timm's and not a config of ours. */
export function isTimmArgs(values: unknown): values is Fields {
  return values !== null && typeof values === 'object' && typeof (values as Fields).model === 'string' && 'batch_size' in values;
}

/** Throws bad-config for a model, optimizer, schedule or clipping that is not ours, with the argument as the field. */
export function configFromTimm(args: Fields, { processes = 1 }: TimmOptions = {}): TimmConfig {
  const result: TimmConfig = { config: { model: {}, data: {}, train: {} }, taken: [], computed: [], dropped: [] };
  const { config } = result;
  requireOurs(args);
  const given = (key: string): boolean => args[key] !== null && args[key] !== undefined;
  for (const [key, section, field] of SAME) {
    if (!given(key)) continue;
    config[section][field] = args[key];
    result.taken.push(`${section}.${field} = ${JSON.stringify(args[key])} (${key})`);
  }
  const compute = (section: keyof TimmConfig['config'], field: string, value: unknown, how: string): void => {
    config[section][field] = value;
    result.computed.push(`${section}.${field} = ${JSON.stringify(value)} (${how})`);
  };
  takeModel(args, compute);
  takeBatch(args, processes, compute);
  const lr = takeRate(args, processes, compute);
  takeSchedule(args, lr, compute);
  takeAugmentation(args, compute, result.dropped);
  for (const [key, usual] of Object.entries(WITHOUT_COUNTERPART)) {
    if (given(key) && args[key] !== usual) result.dropped.push(`${key} ${JSON.stringify(args[key])}`);
  }
  return result;
}

type Compute = (section: keyof TimmConfig['config'], field: string, value: unknown, how: string) => void;

function requireOurs(args: Fields): void {
  const rules: [string, unknown, string][] = [
    ['opt', 'adamw', 'sgd'],
    ['sched', 'cosine', 'cosine'],
  ];
  for (const [key, ours, usual] of rules) {
    const value = args[key] ?? usual;
    if (value !== ours) throw new PreloraError('bad-config', `${key} ${JSON.stringify(value)}: only ${ours} can be taken over`, key);
  }
  if (args.clip_grad && args.clip_mode !== undefined && args.clip_mode !== 'norm') {
    throw new PreloraError('bad-config', `clip_mode ${JSON.stringify(args.clip_mode)}: only norm can be taken over`, 'clip_mode');
  }
}

function takeModel(args: Fields, compute: Compute): void {
  const name = String(args.model);
  const parts = /^vit_(tiny|small|base|large|huge)_patch(\d+)_(\d+)(?:\..*)?$/.exec(name);
  if (!parts) {
    throw new PreloraError('bad-config', `model ${name}: only vit_{tiny,small,base,large,huge}_patch{P}_{S} can be taken over`, 'model');
  }
  const [, size, patch, side] = parts;
  const input = Array.isArray(args.input_size) ? (args.input_size as number[]) : null;
  compute('model', 'size', size, name);
  compute('model', 'patchSize', Number(patch), name);
  compute('model', 'imageSize', args.img_size ?? input?.[1] ?? Number(side), args.img_size ? 'img_size' : input ? 'input_size' : name);
  if (input && (args.in_chans === null || args.in_chans === undefined)) compute('model', 'inChannels', input[0], 'input_size');
}

function takeBatch(args: Fields, processes: number, compute: Compute): void {
  const micro = numberOf(args, 'batch_size', 128);
  const steps = numberOf(args, 'grad_accum_steps', 1);
  compute('train', 'microBatch', micro, 'batch_size');
  compute('train', 'batchSize', micro * steps * processes, `batch_size ${micro} × grad_accum_steps ${steps} × ${processes} processes`);
}

/** As timm's train.py works out an empty lr: by the root of the batch for the Adam family, else in proportion to it. */
function takeRate(args: Fields, processes: number, compute: Compute): number {
  if (args.lr) {
    compute('train', 'lr', args.lr, 'lr');
    return args.lr as number;
  }
  const batch = numberOf(args, 'batch_size', 128) * numberOf(args, 'grad_accum_steps', 1) * processes;
  const [base, size] = [numberOf(args, 'lr_base', 0.1), numberOf(args, 'lr_base_size', 256)];
  const isRoot = (args.lr_base_scale || 'sqrt') === 'sqrt'; // adamw is of the Adam family
  const lr = base * (isRoot ? Math.sqrt(batch / size) : batch / size);
  compute('train', 'lr', lr, `lr_base ${base} × ${isRoot ? `√(${batch} / ${size})` : `${batch} / ${size}`}`);
  return lr;
}

function takeSchedule(args: Fields, lr: number, compute: Compute): void {
  const [beta1, beta2] = Array.isArray(args.opt_betas) ? (args.opt_betas as number[]) : [0.9, 0.999];
  compute('train', 'beta1', beta1, 'opt_betas');
  compute('train', 'beta2', beta2, 'opt_betas');
  compute('train', 'gradClip', args.clip_grad ?? 0, 'clip_grad');
  compute('train', 'lrWarmupSteps', `${numberOf(args, 'warmup_epochs', 5)}ep`, 'warmup_epochs');
  const floor = numberOf(args, 'min_lr', 0);
  compute('train', 'lrFloor', floor / lr, `min_lr ${floor} / lr ${lr}`);
}

function takeAugmentation(args: Fields, compute: Compute, dropped: string[]): void {
  if (Array.isArray(args.scale)) compute('data', 'cropScaleMin', args.scale[0], 'scale');
  if (!args.aa) return;
  const text = String(args.aa);
  const magnitude = /^rand(?:-.*)?-m(\d+)/.exec(text);
  if (!magnitude) {
    dropped.push(`aa ${JSON.stringify(text)}`);
    return;
  }
  compute('data', 'randAugmentMagnitude', Number(magnitude[1]), text);
  compute('data', 'randAugmentOps', Number(/-n(\d+)/.exec(text)?.[1] ?? 2), text);
  const rest = text.split('-').filter((part) => !/^(rand|m\d+|n\d+|inc1)$/.test(part));
  if (rest.length > 0) dropped.push(`aa ${rest.join('-')}`);
}

function numberOf(args: Fields, key: string, usual: number): number {
  const value = args[key] ?? usual;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new PreloraError('bad-config', `${key} ${JSON.stringify(value)}: must be a number`, key);
}
