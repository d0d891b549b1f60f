/**
 * Entry of the desktop shell: the order of boot on one screen. Windows, menus, dialogs, processes; no learning, and never tfjs: with Mesa
 * loaded, TensorFlow in this process would crash on Linux (architecture.md section 3).
 */
import { app } from 'electron';
import { EngineProcess } from './engineProcess.ts';
import { shellHandlers } from './handlers.ts';
import { serveIpc } from './ipc.ts';
import { setupMenu } from './menu.ts';
import { setupNotifications } from './notifications.ts';
import { watchPower } from './power.ts';
import { showPresence } from './presence.ts';
import { setupQuit } from './quit.ts';
import { registerScheme, serveScheme } from './scheme.ts';
import { loadSettings } from './settings.ts';
import { MainWindow } from './window.ts';

// Before any window: pages have no Node, whatever a window asks for. Who starts us with --no-sandbox (root in a container) has no choice.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
registerScheme(); // before ready, or app:// is no secure origin
if (app.requestSingleInstanceLock()) void boot();
else app.quit();

async function boot(): Promise<void> {
  await app.whenReady();
  const settings = await loadSettings();
  serveScheme();
  const engine = new EngineProcess();
  const window = new MainWindow(settings);
  showPresence(window, engine);
  setupNotifications({ window, engine, settings });
  const power = watchPower(window, engine);
  serveIpc(window, engine, shellHandlers({ window, engine, settings, power }));
  setupMenu(window);
  setupQuit({ window, engine, settings });
  app.on('second-instance', () => window.show());
  app.on('activate', () => window.show());
  engine.start();
  window.show();
}
