/** Kinds of values that fields of several sections take. */
import '../jitless.ts';
import { z } from 'zod';

/** A number of optimizer steps, or text such as "2ep" (epochs). method.md section 1. */
export const Duration = z.union([
  z.number().int().min(0),
  z.string().regex(/^\d+(\.\d+)?(e-?\d+)?ep$/, 'must be a whole number of steps or text such as "2ep"'),
]);
export type Duration = z.output<typeof Duration>;

/** Out of range says only that: a number is told one fault at a time. */
export const powerOfTwo = z
  .number()
  .int({ abort: true })
  .min(1, { abort: true })
  .max(1024, { abort: true })
  .refine((rank) => Number.isInteger(Math.log2(rank)), 'must be a power of two from 1 to 1024');
