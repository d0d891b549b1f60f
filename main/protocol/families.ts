/** The families of linear layers that PreLoRA watches and adapts, in the order of a block. method.md section 2. */
import './jitless.ts';
import { z } from 'zod';

export const FAMILIES = ['q', 'k', 'v', 'proj', 'fc1', 'fc2'] as const;
export const Family = z.enum(FAMILIES);
export type Family = z.output<typeof Family>;
