/**
 * What a user wants of the desktop shell: which events it notifies of, and what quitting does to a run. Kept by the shell, changed in the page's
 * Settings.
 */
import './jitless.ts';
import { z } from 'zod';

const on = z.boolean().default(true);

/** Events that are worth coming back for, each with a switch of its own. */
export const NotifiedEvents = z.object({ proposed: on, switched: on, finished: on, failed: on, disk: on });
export type NotifiedEvents = z.output<typeof NotifiedEvents>;
export type NotifiedEvent = keyof NotifiedEvents;

export const ShellPreferences = z.object({
  notify: NotifiedEvents.prefault({}),
  /** What becomes of an active run when the program is quit; `ask` until an answer is to be remembered. */
  quitWithRun: z.enum(['ask', 'keep', 'checkpoint']).default('ask'),
});
export type ShellPreferences = z.output<typeof ShellPreferences>;
