/** How a field of the config is written down: its type with all that a form, a help page or an error message says of it. */
import '../jitless.ts';
import type { z } from 'zod';

/** What a form, a help page or an error message needs to know of a field beside its type. */
export interface FieldMeta {
  title: string;
  unit?: string;
  help: string;
  /** Shown in the "Basic" form. */
  basic?: boolean;
}

/** The schema with title, unit and help; `basic` fields stand in the short form. */
export const field = <T extends z.ZodType>(schema: T, title: string, unit: string, help: string, basic = false): T =>
  schema.meta({ title, unit, help, ...(basic ? { basic } : {}) }) as T;
