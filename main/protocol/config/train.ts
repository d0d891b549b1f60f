/** `train`: length, batches, optimizer, and what is kept of a run. Ranges and help texts are those of method.md section 3. */
import { z } from 'zod';
import { field } from './field.ts';
import { Duration } from './values.ts';

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
