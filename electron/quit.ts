/**
 * Quitting with an active run: keep training in the background, write a checkpoint and quit, or do not quit (product.md section 3). Closing
 * the last window asks the same. The answer can be remembered,
 * and taken back in Settings.
 */

import path from 'node:path';
import { app, dialog, Menu, nativeImage, Tray } from 'electron';
import type { Presence } from '../main/protocol/events.ts';
import type { EngineProcess } from './engineProcess.ts';
import type { Settings } from './settings.ts';
import type { MainWindow } from './window.ts';

/** Beyond the checkpoint itself; a large model's step may take a while. */
const PATIENCE_MS = 60_000;

export interface QuitParts {
  window: MainWindow;
  engine: EngineProcess;
  settings: Settings;
}

export type QuitAnswer = 'keep' | 'checkpoint' | 'cancel';

export function setupQuit({ window, engine, settings }: QuitParts): void {
  let isQuitting = false;
  let tray: Tray | null = null;

  const finish = async (): Promise<void> => {
    isQuitting = true;
    await engine.close(PATIENCE_MS);
    await settings.settled();
    app.exit(0);
  };
  const keepTraining = (): void => {
    tray ??= createTray(window);
    tray.setToolTip(trayText(engine.presence));
    window.current?.destroy();
  };
  const decide = async (): Promise<void> => {
    const answer = await askQuit({ window, engine, settings });
    if (answer === 'checkpoint') await finish();
    if (answer === 'keep') keepTraining();
  };

  // Where a taskbar shows no progress, the tray does.
  engine.listen({
    push() {},
    presence: (presence) => tray?.setToolTip(trayText(presence)),
  });

  app.on('before-quit', (event) => {
    if (isQuitting) return;
    event.preventDefault();
    void decide();
  });
  app.on('window-all-closed', () => {
    // With a tray icon the program goes on without a window; on macOS programs do so anyway.
    if (tray === null && process.platform !== 'darwin' && !isQuitting) void decide().then(() => reopenUnlessDone());
  });
  const reopenUnlessDone = (): void => {
    if (tray === null && !isQuitting) window.show();
  };
}

/** `checkpoint` at once when nothing is being trained. */
async function askQuit({ window, engine, settings }: QuitParts): Promise<QuitAnswer> {
  const { presence } = engine;
  const isActive = presence !== null && (presence.status === 'running' || presence.status === 'paused');
  if (!isActive) return 'checkpoint';
  const { quitWithRun } = settings.preferences;
  if (quitWithRun !== 'ask') return quitWithRun;
  const options = {
    type: 'question' as const,
    message: `${presence.name} is being trained (step ${presence.step} of ${presence.totalSteps}).`,
    detail: 'A checkpoint lets it go on later exactly where it stands.',
    buttons: ['Write a checkpoint and quit', 'Keep training in the tray', 'Cancel'],
    defaultId: 0,
    cancelId: 2,
    checkboxLabel: 'Remember this answer',
  };
  const { current } = window;
  const { response, checkboxChecked } = await (current ? dialog.showMessageBox(current, options) : dialog.showMessageBox(options));
  const answer = (['checkpoint', 'keep', 'cancel'] as const)[response] ?? 'cancel';
  if (checkboxChecked && answer !== 'cancel') settings.update({ quitWithRun: answer });
  return answer;
}

export function trayText(presence: Presence | null): string {
  if (!presence) return 'PreLoRA Workbench: nothing is being trained';
  return `${Math.floor((100 * presence.step) / Math.max(1, presence.totalSteps))} % · ${presence.name} · PreLoRA Workbench`;
}

function createTray(window: MainWindow): Tray {
  const tray = new Tray(nativeImage.createFromPath(path.join(app.getAppPath(), 'resources', 'icons', 'tray.png')));
  tray.setContextMenu(
    Menu.buildFromTemplate([
      { label: 'Open', click: () => window.show() },
      { label: 'Quit', click: () => app.quit() },
    ]),
  );
  tray.on('click', () => window.show());
  return tray;
}
