/** The application menu as data. Entries of the page's own only send its command; the page runs it as if a key had been pressed. */
import { app, Menu, type MenuItemConstructorOptions } from 'electron';
import type { MainWindow } from './window.ts';

interface PageEntry {
  label: string;
  /** Id of the page's command (renderer/state/commands.ts). */
  command: string;
}

const FILE: readonly PageEntry[] = [
  { label: 'New run', command: 'new-run' },
  { label: 'Runs', command: 'runs' },
  { label: 'Compare', command: 'compare' },
  { label: 'Settings', command: 'settings' },
];
const HELP: readonly PageEntry[] = [
  { label: 'Find an action', command: 'palette' },
  { label: 'Keyboard shortcuts', command: 'shortcuts' },
];

export function setupMenu(window: MainWindow): void {
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate((command) => window.send('menu:command', { command }), process.platform)));
}

/** Exported for tests; `run` gets the command of a chosen entry. */
export function menuTemplate(run: (command: string) => void, platform: NodeJS.Platform): MenuItemConstructorOptions[] {
  // No accelerators on page entries: the page handles its keys itself, and a key must not act twice.
  const entries = (list: readonly PageEntry[]): MenuItemConstructorOptions[] =>
    list.map(({ label, command }) => ({ label, click: () => run(command) }));
  return [
    ...(platform === 'darwin' ? [{ role: 'appMenu' as const }] : []),
    { label: 'File', submenu: [...entries(FILE), { type: 'separator' }, { role: platform === 'darwin' ? 'close' : 'quit' }] },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        { role: 'reload' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
        ...developerTools(),
      ],
    },
    { role: 'windowMenu' },
    { label: 'Help', submenu: entries(HELP) },
  ];
}

function developerTools(): MenuItemConstructorOptions[] {
  return app.isPackaged ? [] : [{ role: 'toggleDevTools' }];
}
