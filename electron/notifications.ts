/**
 * Notifications of what is worth coming back for (product.md section 3, "Desktop"): a switch proposed or done, a run finished or failed, a disk
 * that fills. Each event has a switch in Settings; all are quiet while the window has focus, and a click lands on the screen that tells more.
 */
import { app, Notification } from 'electron';
import type { Presence, PushEvents, RunPlace } from '../main/protocol/events.ts';
import type { NotifiedEvent } from '../main/protocol/shellPreferences.ts';
import type { ShellParts } from './handlers.ts';
import type { MainWindow } from './window.ts';

/** Windows shows the notifications of a program under the name of the shortcut that has this id (build/packaging/config.mjs). */
export const APP_ID = 'org.prelora.workbench';

export interface Notice extends RunPlace {
  event: NotifiedEvent;
  title: string;
  body: string;
}

export function setupNotifications({ window, engine, settings }: ShellParts): void {
  if (process.platform === 'win32') app.setAppUserModelId(APP_ID);
  const notify = (notice: Notice | null): void => {
    if (notice && settings.preferences.notify[notice.event] && !window.isFocused && Notification.isSupported()) show(window, notice);
  };
  let last: Presence | null = null;
  engine.listen({
    presence(presence) {
      for (const notice of noticesOf(last, presence)) notify(notice);
      // The run that is gone still has to be named by what is pushed after it.
      last = presence ?? last;
    },
    push: (event, payload) => notify(noticeOfPush(event, payload, last)),
  });
}

/** What changed of a run that both tell of. */
export function noticesOf(before: Presence | null, now: Presence | null): Notice[] {
  if (!now || before?.runId !== now.runId) return [];
  const { runId, name, status, step, switchStep, best, message } = now;
  const notices: Notice[] = [];
  const tell = (event: NotifiedEvent, title: string, body: string, tab: RunPlace['tab'] = 'live'): void => {
    notices.push({ event, runId, tab, title: `${name} ${title}`, body });
  };
  if (before.switchStep === null && switchStep !== null)
    tell('switched', 'has switched to LoRA', `Adapters since step ${switchStep}.`, 'switch');
  if (!before.isDiskLow && now.isDiskLow) tell('disk', 'has little disk left', 'Another two checkpoints do not fit. Free some space.');
  if (before.status === status) return notices;
  if (status === 'finished') tell('finished', 'is finished', endWords(step, best));
  if (status === 'diverged') tell('failed', 'has stopped', message ?? `The loss is not finite at step ${step}.`);
  // A user's pause needs no reason.
  if (status === 'paused' && message !== null) tell('disk', 'is paused', message);
  return notices;
}

function endWords(step: number, best: Presence['best']): string {
  const score = best ? `, best top-1 ${(100 * best.valTop1).toFixed(1)} % in epoch ${best.epoch}` : '';
  return `${step} steps are done${score}.`;
}

/** `known` is the run last heard of, for its name. */
export function noticeOfPush(event: keyof PushEvents, payload: unknown, known: Presence | null): Notice | null {
  if (event === 'switch:proposed') {
    const { runId, step, dueStep } = payload as PushEvents['switch:proposed'];
    const until = dueStep === null ? 'Training goes on until you decide.' : `It happens at step ${dueStep} unless you turn it down.`;
    const title = `${nameOf(runId, known)}: switch to LoRA proposed`;
    return { event: 'proposed', runId, tab: 'switch', title, body: `The test passed at step ${step}. ${until}` };
  }
  if (event !== 'trainer:exited') return null;
  const { runId, reason } = payload as PushEvents['trainer:exited'];
  return { event: 'failed', runId, tab: 'live', title: `${nameOf(runId, known)} has stopped`, body: reason };
}

function nameOf(runId: string, known: Presence | null): string {
  return known?.runId === runId ? known.name : 'A run';
}

/** Kept until they are done with: a notification that nothing refers to is collected, and its click goes nowhere. */
const shown = new Set<Notification>();

function show(window: MainWindow, { title, body, runId, tab }: Notice): void {
  const notification = new Notification({ title, body });
  shown.add(notification);
  notification.on('click', () => {
    shown.delete(notification);
    window.showRun({ runId, tab });
  });
  notification.on('close', () => shown.delete(notification));
  notification.show();
}
