/** What can be done to the run on screen by name: steering, its modules, and thresholds typed as "τ 0.8". */
import { formatChange } from '../../format.ts';
import type { ActiveRun } from '../../state/activeRun.svelte.ts';
import type { Command } from '../../state/commands.ts';

export function runCommands(
  run: ActiveRun,
  { isRunning, modules, openLayers }: { isRunning: boolean; modules: readonly string[]; openLayers: () => void },
): Command[] {
  return [
    {
      id: 'live-pause',
      title: 'Pause the run',
      hint: 'Space',
      run: () => void run.controls.pause(),
      ...(!isRunning && { reason: 'it is not running' }),
    },
    { id: 'live-resume', title: 'Resume the run', run: () => void run.controls.resume(), ...(isRunning && { reason: 'it is running' }) },
    { id: 'live-stop', title: 'Stop and keep the run', run: () => void run.controls.stop() },
    { id: 'live-checkpoint', title: 'Write a checkpoint now', run: () => void run.controls.checkpoint() },
    ...modules.map((module) => ({
      id: `module-${module}`,
      title: `Go to ${module}`,
      run: () => {
        run.plots.modules = [module];
        openLayers();
      },
    })),
  ];
}

const SIGNS: Readonly<Record<string, { path: string; sign: string }>> = {
  τ: { path: 'prelora.tau', sign: 'τ' },
  tau: { path: 'prelora.tau', sign: 'τ' },
  ζ: { path: 'prelora.zeta', sign: 'ζ' },
  zeta: { path: 'prelora.zeta', sign: 'ζ' },
};

/** "tau 0.8" offers the edit of the run on screen; anything else nothing. */
export function typedEdit(run: ActiveRun, text: string): Command[] {
  const [, word, number] = /^(τ|tau|ζ|zeta)\s*=?\s*(\d+(?:[.,]\d+)?)\s*%?$/i.exec(text.trim()) ?? [];
  const wanted = SIGNS[word?.toLowerCase() ?? ''];
  const value = Number(number?.replace(',', '.'));
  if (!wanted || !(value > 0 && value <= 100)) return [];
  const title = `Edit ${wanted.sign} to ${formatChange(value)} on ${run.status?.name ?? run.runId}`;
  const reason = run.canEditThresholds ? {} : { reason: 'only until the switch' };
  return [{ id: 'typed-edit', title, run: () => void run.controls.edit({ [wanted.path]: value }), ...reason }];
}
