/**
 * The words of a study: one recipe trained as several variants, each with several random seeds (product.md J3). A variant is written the
 * same way on the command line, in a request and in a run's annotations: `prelora`, `full`, `fixed@4`, `uniform@8`, or `prelora.tau=0.5`.
 */
import './jitless.ts';
import { z } from 'zod';

export interface NamedVariant {
  title: string;
  /** The question a comparison with it answers (method.md section 18). */
  answers: string;
  /** What may or must follow as `name@value`. */
  value?: { unit: string; isOptional: boolean };
}

export const NAMED_VARIANTS = {
  prelora: { title: 'PreLoRA', answers: 'the recipe with automatic switching' },
  full: { title: 'full to the end', answers: 'what accuracy is given up, what time is gained' },
  fixed: { title: 'switch at a fixed time', answers: 'does the test beat a clock?', value: { unit: 'epochs', isOptional: false } },
  uniform: {
    title: 'uniform rank',
    answers: 'do ranks per module help at equal size?',
    value: { unit: 'rank; empty matches the size of the assigned plan', isOptional: true },
  },
  reversed: { title: 'reversed ranks', answers: 'is the direction right?' },
  freezeOnly: { title: 'freeze without adapters', answers: 'do the adapters matter?' },
  resetOnly: { title: 'optimizer reset alone', answers: 'is it only the restart?' },
  stateKept: { title: 'optimizer state kept', answers: 'what do resets cost?' },
  displacement: { title: 'test by displacement', answers: 'does the norm metric matter?' },
  gradRanks: { title: 'ranks by gradient norm', answers: 'does the rank metric matter?' },
  allFrozen: { title: 'everything frozen', answers: 'what do the leftovers carry?' },
} satisfies Record<string, NamedVariant>;
export type VariantName = keyof typeof NAMED_VARIANTS;

/** What a run of a study remembers of it. */
export const StudyMembership = z.object({
  study: z.string().min(1).max(200),
  variant: z.string().min(1).max(200),
  seed: z.number().int().min(0),
});
export type StudyMembership = z.output<typeof StudyMembership>;
