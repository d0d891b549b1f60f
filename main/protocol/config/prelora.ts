/** `prelora`: when the run switches, with which ranks, and what happens then. Ranges and help texts are those of method.md. */
import { z } from 'zod';
import { FAMILIES, Family } from '../families.ts';
import { field } from './field.ts';
import { Duration, powerOfTwo } from './values.ts';

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
