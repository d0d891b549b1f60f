/** `control`: variants of the method that a study compares it with. Ranges and help texts are those of method.md. */
import { z } from 'zod';
import { field } from './field.ts';
import { powerOfTwo } from './values.ts';

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
