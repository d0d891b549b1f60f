/**
 * The run's configuration: every field once, with type, range, default, unit, label and help, section by section in config/. The form, the
 * CLI's messages, the JSON Schema, the docs and the stored `config.json` all derive from here. `null` means "decided when the run is created"
 * (by the model size, the data or the length of the run); core/resolveConfig.ts fills those in, so that a stored config holds no null it
 * could resolve.
 */
import { z } from 'zod';
import { ControlConfig } from './config/control.ts';
import { DataConfig } from './config/data.ts';
import { EngineConfig } from './config/engine.ts';
import { field } from './config/field.ts';
import { ModelConfig } from './config/model.ts';
import { PreloraConfig } from './config/prelora.ts';
import { TrainConfig } from './config/train.ts';

export const CONFIG_VERSION = 1;

const LoggingConfig = z.strictObject({
  metricsEvery: field(z.number().int().min(1).max(10_000).default(1), 'Metrics every', 'steps', 'Steps between lines of metrics.jsonl.'),
  tensorboard: field(
    z.boolean().default(false),
    'TensorBoard files',
    '–',
    "Also write event files to tb/ in the run's folder, for tensorboard --logdir; derived from the records, so that they may be deleted.",
  ),
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
