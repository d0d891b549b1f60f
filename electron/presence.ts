/**
 * What shows outside the window: the progress bar, a percentage in the title, notifications of things worth coming back for, and no sleep
 * while a run trains (product.md section 3, "Desktop").
 */
import { Notification, powerSaveBlocker } from 'electron';
import type { Presence, PushEvents } from '../main/protocol/events.ts';
import type { EngineProcess } from './engineProcess.ts';
import type { MainWindow } from './window.ts';

const TITLE = 'PreLoRA Workbench';

export function showPresence(window: MainWindow, engine: EngineProcess): void {
  let last: Presence | null = null;
  engine.listen({
    presence(presence) {
      keepAwake(presence?.status === 'running');
      showProgress(window, presence);
      const end = presence && last?.runId === presence.runId && last.status !== presence.status ? endWords(presence) : null;
      if (end) notify(window, end);
      last = presence;
    },
    push(event, payload) {
      const words = pushWords(event, payload);
      if (words) notify(window, words);
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

interface Words {
  title: string;
  body: string;
}

function endWords({ name, status, step }: Presence): Words | null {
  if (status === 'finished') return { title: `${name} is finished`, body: `All ${step} steps are done.` };
  if (status !== 'diverged') return null;
  return { title: `${name} has stopped`, body: `The loss is not finite at step ${step}; the last good checkpoint is kept.` };
}

function pushWords(event: keyof PushEvents, payload: unknown): Words | null {
  if (event === 'trainer:exited') return { title: 'Training has stopped', body: (payload as PushEvents['trainer:exited']).reason };
  if (event !== 'switch:proposed') return null;
  return { title: 'Switch to LoRA proposed', body: `The test passed at step ${(payload as PushEvents['switch:proposed']).step}.` };
}

/** Quiet while somebody looks; a click leads back to the window. */
function notify(window: MainWindow, words: Words): void {
  if (window.isFocused || !Notification.isSupported()) return;
  const notification = new Notification(words);
  notification.on('click', () => window.show());
  notification.show();
}
