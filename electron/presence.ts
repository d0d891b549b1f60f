/**
 * What shows outside the window: the progress bar, a percentage in the title, and no sleep while a run trains (product.md section 3, "Desktop").
 * Notifications are in notifications.ts.
 */
import { powerSaveBlocker } from 'electron';
import type { Presence } from '../main/protocol/events.ts';
import type { EngineProcess } from './engineProcess.ts';
import type { MainWindow } from './window.ts';

const TITLE = 'PreLoRA Workbench';

export function showPresence(window: MainWindow, engine: EngineProcess): void {
  engine.listen({
    push() {},
    presence(presence) {
      keepAwake(presence?.status === 'running');
      showProgress(window, presence);
    },
  });
}

let blocker: number | null = null;

/** Not while paused: a laptop that waits for its user may sleep. */
function keepAwake(isTraining: boolean): void {
  if (isTraining) blocker ??= powerSaveBlocker.start('prevent-app-suspension');
  else if (blocker !== null) {
    powerSaveBlocker.stop(blocker);
    blocker = null;
  }
}

function showProgress({ current }: MainWindow, presence: Presence | null): void {
  const fraction = presence && presence.totalSteps > 0 ? presence.step / presence.totalSteps : null;
  current?.setProgressBar(fraction ?? -1, { mode: presence?.status === 'paused' ? 'paused' : 'normal' });
  current?.setTitle(fraction === null ? TITLE : `${Math.floor(100 * fraction)} % · ${presence?.name} · ${TITLE}`);
}
