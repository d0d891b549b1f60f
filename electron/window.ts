/**
 * The one window: sandboxed, without Node, without a way to other pages. Closing it or losing its page does not touch training. Each load of
 * the page gets a fresh port for frames.
 */
import path from 'node:path';
import { app, BrowserWindow, dialog, type Session, session } from 'electron';
import { CrashPolicy } from '../main/host/crashPolicy.ts';
import type { RunPlace, ShellPushes } from '../main/protocol/events.ts';
import { PAGE_ORIGIN } from './scheme.ts';
import type { Settings } from './settings.ts';

/** Smaller ones are no use (product.md section 2.0). */
const SMALLEST = { minWidth: 960, minHeight: 640 };

export class MainWindow {
  #window: BrowserWindow | null = null;
  /** Told to the page once it listens. */
  #wanted: RunPlace | null = null;
  readonly #pageCrashes = new CrashPolicy();
  readonly #loaded: ((window: BrowserWindow) => void)[] = [];

  constructor(readonly settings: Settings) {
    denyPermissions(session.defaultSession);
  }

  /** Called after each load of the page. */
  onPageLoaded(listener: (window: BrowserWindow) => void): void {
    this.#loaded.push(listener);
  }

  get current(): BrowserWindow | null {
    return this.#window;
  }

  get isFocused(): boolean {
    return this.#window?.isFocused() ?? false;
  }

  /** Opens the window, or brings it to the front. */
  show(): void {
    if (!this.#window) this.#window = this.#open();
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.show();
    this.#window.focus();
  }

  /** Opens the window on a screen of a run, also where its page is still to be loaded. */
  showRun(place: RunPlace): void {
    const isListening = this.#window !== null && !this.#window.webContents.isLoading();
    this.show();
    if (isListening) this.#visit(place);
    else this.#wanted = place;
  }

  #visit(place: ShellPushes['notification:clicked']): void {
    this.#wanted = null;
    this.send('notification:clicked', place);
  }

  /** Sends a push to the page, when there is one. */
  send(event: string, payload: unknown): void {
    this.#window?.webContents.send('workbench:event', { event, payload });
  }

  #open(): BrowserWindow {
    const window = new BrowserWindow({
      ...this.settings.bounds,
      ...SMALLEST,
      show: false,
      backgroundColor: '#101216',
      title: 'PreLoRA Workbench',
      webPreferences: {
        preload: path.join(app.getAppPath(), 'dist', 'electron', 'preload.js'),
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        nodeIntegrationInWorker: false,
        nodeIntegrationInSubFrames: false,
        webSecurity: true,
        allowRunningInsecureContent: false,
        webviewTag: false,
        navigateOnDragDrop: false,
        spellcheck: false,
        // Frames for a hidden window come once a second anyway; timers of its own stay exact for elapsed times.
        backgroundThrottling: true,
      },
    });
    const { webContents } = window;
    webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
    webContents.on('will-navigate', (event) => event.preventDefault());
    webContents.on('will-redirect', (event) => event.preventDefault());
    webContents.on('will-attach-webview', (event) => event.preventDefault());
    webContents.on('did-finish-load', () => {
      for (const listener of this.#loaded) listener(window);
      if (this.#wanted) this.#visit(this.#wanted);
    });
    webContents.on('render-process-gone', (_event, { reason }) => void this.#reloadAfterCrash(window, reason));
    window.on('close', () => this.settings.update({ bounds: window.getNormalBounds() }));
    window.on('closed', () => {
      this.#window = null;
    });
    void window.loadURL(`${PAGE_ORIGIN}/`);
    return window;
  }

  /** The page is only a view: a new one catches up from the files. One that dies again and again is loaded when the user asks for it. */
  async #reloadAfterCrash(window: BrowserWindow, reason: string): Promise<void> {
    if (reason === 'clean-exit' || window.isDestroyed()) return;
    const mayReload = this.#pageCrashes.record(performance.now());
    if ((mayReload || (await asksToReload(window, reason))) && !window.isDestroyed()) window.webContents.reload();
  }
}

async function asksToReload(window: BrowserWindow, reason: string): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'warning',
    message: `The page stopped several times in a few minutes (${reason}).`,
    detail: 'Training is not touched by it and goes on. Load the page again, or close the window.',
    buttons: ['Load the page again', 'Close the window'],
    defaultId: 0,
    cancelId: 1,
  });
  if (response === 1 && !window.isDestroyed()) window.close();
  return response === 0;
}

/** Camera, microphone, location, notifications of the page: nothing is needed, nothing is granted. Copying text needs no permission. */
function denyPermissions(from: Session): void {
  const granted = new Set(['clipboard-sanitized-write']);
  from.setPermissionRequestHandler((_contents, permission, answer) => answer(granted.has(permission)));
  from.setPermissionCheckHandler((_contents, permission) => granted.has(permission));
}
