/** The shell's decisions as plain functions, without an Electron: links, sender, menu, settings. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.ts';

vi.mock('electron', () => ({ app: { isPackaged: false }, dialog: {}, ipcMain: {}, Menu: {}, protocol: {}, shell: {} }));
const { checkedLink } = await import('../../electron/handlers.ts');
const { isOurPage } = await import('../../electron/ipc.ts');
const { menuTemplate } = await import('../../electron/menu.ts');
const { trayText } = await import('../../electron/quit.ts');
const { loadSettings } = await import('../../electron/settings.ts');

describe('a link', () => {
  it('is opened when it is https and leads where our texts do', () => {
    expect(checkedLink('https://arxiv.org/abs/2106.09685')).toBe('https://arxiv.org/abs/2106.09685');
  });

  it('is refused when only its looks are right', () => {
    const bad = [
      'https://arxiv.org.evil.example/',
      'https://arxiv.org@evil.example/',
      'https://user:pw@arxiv.org/',
      'http://arxiv.org/',
      'arxiv.org',
      '',
    ];
    for (const url of bad) expect(() => checkedLink(url), url).toThrow(/only https links/);
  });
});

describe('a request over IPC', () => {
  const mainFrame = { url: 'app://workbench/index.html' };
  const webContents = { mainFrame };
  const window = { current: { webContents } } as unknown as Parameters<typeof isOurPage>[1];
  const from = (sender: object, senderFrame: object | null): boolean =>
    isOurPage({ sender, senderFrame } as Parameters<typeof isOurPage>[0], window);

  it('is heard from the top frame of our own window alone', () => {
    expect(from(webContents, mainFrame)).toBe(true);
    expect(from(webContents, { url: mainFrame.url })).toBe(false);
    expect(from({ mainFrame }, mainFrame)).toBe(false);
    expect(from(webContents, null)).toBe(false);
  });

  it('is not heard from another origin in that frame', () => {
    for (const url of ['https://workbench/', 'app://workbench.evil/', 'app://other/', 'file:///', 'about:blank']) {
      const frame = { url };
      const contents = { mainFrame: frame };
      const other = { current: { webContents: contents } } as unknown as Parameters<typeof isOurPage>[1];
      expect(isOurPage({ sender: contents, senderFrame: frame } as unknown as Parameters<typeof isOurPage>[0], other), url).toBe(false);
    }
  });
});

describe('the menu', () => {
  it('sends the page its commands and keeps no keys from it', () => {
    const sent: string[] = [];
    const entries = menuTemplate((command) => sent.push(command), 'linux').flatMap(({ submenu }) =>
      Array.isArray(submenu) ? submenu : [],
    );
    for (const { click } of entries) (click as (() => void) | undefined)?.();
    expect(sent).toEqual(['new-run', 'runs', 'compare', 'settings', 'palette', 'shortcuts']);
    expect(entries.filter(({ click, accelerator }) => click && accelerator)).toEqual([]);
  });
});

describe('the tray', () => {
  it('tells how far the run is, for systems whose taskbar does not', () => {
    const presence = {
      runId: 'r',
      name: 'flowers',
      status: 'running',
      phase: 'full',
      step: 299,
      totalSteps: 1000,
      etaSeconds: null,
      switchStep: null,
      best: null,
      message: null,
      isDiskLow: false,
    } as const;
    expect(trayText(presence)).toBe('29 % · flowers · PreLoRA Workbench');
    expect(trayText(null)).toContain('nothing is being trained');
  });
});

describe('the settings', () => {
  it('are kept from one start to the next', async () => {
    const file = path.join(temporaryFolder(), 'new', 'settings.json');
    const settings = await loadSettings(file);
    settings.update({
      quitWithRun: 'keep',
      notify: { ...settings.preferences.notify, finished: false },
      bounds: { width: 1000, height: 700 },
    });
    await settings.settled();
    const again = await loadSettings(file);
    expect(again.preferences).toMatchObject({ quitWithRun: 'keep', notify: { finished: false, failed: true } });
    expect(again.bounds).toEqual({ width: 1000, height: 700 });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1 });
  });

  it('of a version without notifications keep what they had, with all notifications on', async () => {
    const file = path.join(temporaryFolder(), 'settings.json');
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '{"version":1,"quitWithRun":"keep"}');
    expect((await loadSettings(file)).preferences).toMatchObject({ quitWithRun: 'keep', notify: { proposed: true, disk: true } });
  });

  it('begin anew when the file is damaged or of a later version', async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    for (const text of ['', '{', '{"version":2,"quitWithRun":"keep"}', '{"bounds":{"width":1}}', '[]']) {
      const file = path.join(folder, 'settings.json');
      writeFileSync(file, text);
      expect((await loadSettings(file)).preferences.quitWithRun).toBe('ask');
    }
  });
});
