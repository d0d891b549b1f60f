/**
 * Electron's published security checklist, item by item and by its numbers, on the built shell in a real Electron. Items that only a packaged
 * program can show (16, 19) are also in packaged.test.ts. https://www.electronjs.org/docs/latest/tutorial/security
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config } from '../../build/packaging/config.mjs';
import { root } from '../../build/transpile.mjs';
import { type DesktopApp, desktopRuntime, startDesktopApp } from '../support/desktopApp.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;
let desktop: DesktopApp;

interface Bridge {
  workbench: { request(name: string, arg: unknown): Promise<unknown>; on(event: string, listener: () => void): () => void };
}

/** The newest Electron that the supported versions of Node can install (architecture.md section 10); three majors are supported at a time. */
const OLDEST_ELECTRON = 45;

/** A request that a browser would ask its user about, each with a way to ask. */
const PERMISSIONS = ['geolocation', 'notifications', 'midi', 'camera', 'microphone', 'clipboard-read'] as const;

describe.skipIf(why !== null)(`Electron’s security checklist${why ? ` (skipped: ${why})` : ''}`, () => {
  beforeAll(async () => {
    desktop = await startDesktopApp((runtime as { binary: string }).binary);
  });
  afterAll(() => desktop?.close());

  const inPage = <T>(work: () => T): Promise<T> => desktop.page.evaluate(work);
  /** What the window really got, which is not in Electron's typings. */
  const preferences = (): Promise<Record<string, unknown>> =>
    desktop.app.evaluate(({ BrowserWindow }) => {
      type Revealing = { webContents: { getLastWebPreferences(): Record<string, unknown> } };
      return (BrowserWindow.getAllWindows()[0] as unknown as Revealing).webContents.getLastWebPreferences();
    });
  const windows = (): Promise<number> => desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length);
  const settled = (): Promise<unknown> => inPage(() => new Promise((resolve) => setTimeout(resolve, 300)));

  it('1. Only load secure content: all of it comes from our own secure origin', async () => {
    expect(await inPage(() => window.isSecureContext)).toBe(true);
    const foreign = await inPage(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('app://workbench/')),
    );
    expect(foreign).toEqual([]);
    const reached = await inPage(() =>
      fetch('https://example.com/').then(
        () => true,
        () => false,
      ),
    );
    expect(reached).toBe(false);
  });

  it('2. Do not enable Node.js integration: the page and its workers have no Node', async () => {
    // Electron tells of nodeIntegrationInWorker only when it is on.
    const { nodeIntegration, nodeIntegrationInWorker = false, nodeIntegrationInSubFrames } = await preferences();
    expect([nodeIntegration, nodeIntegrationInWorker, nodeIntegrationInSubFrames]).toEqual([false, false, false]);
    const found = await inPage(() => ['process', 'require', 'module', 'Buffer', 'global'].filter((name) => name in globalThis));
    expect(found).toEqual([]);
  });

  it('3. Enable context isolation: the page can neither replace the bridge nor reach the world behind it', async () => {
    expect(await preferences()).toMatchObject({ contextIsolation: true });
    const tried = await inPage(() => {
      const { workbench } = globalThis as unknown as Bridge;
      const replaced = [Reflect.set(workbench, 'request', () => {}), Reflect.set(globalThis, 'workbench', {})];
      return { replaced, itsFunctionsAreOurs: workbench.request instanceof Function, itsWorldIsOurs: '__dirname' in globalThis };
    });
    expect(tried).toEqual({ replaced: [false, false], itsFunctionsAreOurs: true, itsWorldIsOurs: false });
  });

  it('4. Enable process sandboxing: for every window, whatever it asks for', async () => {
    expect(await preferences()).toMatchObject({ sandbox: true });
    expect(readFileSync(path.join(root, 'electron', 'app.ts'), 'utf8')).toContain('app.enableSandbox()');
    expect(
      await desktop.app.evaluate(({ app }) => app.commandLine.hasSwitch('no-sandbox') || app.commandLine.hasSwitch('enable-sandbox')),
    ).toBe(true);
  });

  it('5. Handle session permission requests: every one is denied', async () => {
    const answers = await desktop.page.evaluate(
      async (names) =>
        Promise.all(names.map(async (name) => [name, (await navigator.permissions.query({ name: name as PermissionName })).state])),
      [...PERMISSIONS],
    );
    expect(answers.filter(([, state]) => state === 'granted')).toEqual([]);
    const asked = await inPage(async () => {
      const denied = () => 'denied';
      const given = () => 'given';
      return Promise.all([
        Notification.requestPermission(),
        new Promise<string>((resolve) =>
          navigator.geolocation.getCurrentPosition(
            () => resolve('given'),
            () => resolve('denied'),
          ),
        ),
        navigator.mediaDevices.getUserMedia({ audio: true }).then(given, denied),
        navigator.clipboard.readText().then(given, denied),
      ]);
    });
    expect(asked).toEqual(['denied', 'denied', 'denied', 'denied']);
  });

  it('6. Do not disable webSecurity', async () => {
    expect(await preferences()).toMatchObject({ webSecurity: true });
    expect(await desktop.app.evaluate(({ app }) => app.commandLine.hasSwitch('disable-web-security'))).toBe(false);
  });

  it('7. Define a Content Security Policy: no eval, no inline code, no other hosts; and no screen needs more', async () => {
    const policy = await inPage(async () => (await fetch('app://workbench/index.html')).headers.get('content-security-policy'));
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    const tried = await inPage(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.wasRun = true';
      document.head.append(script);
      // A turn later, because the debugger lets its own code evaluate.
      await new Promise((resolve) => setTimeout(resolve, 0));
      const evaluated = (() => {
        try {
          return new Function('return 1')();
        } catch {
          return 'refused';
        }
      })();
      return [Reflect.get(window, 'wasRun'), evaluated];
    });
    expect(tried).toEqual([undefined, 'refused']);
    await desktop.page.reload();
    const complaints: string[] = [];
    desktop.page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) complaints.push(message.text());
    });
    for (const name of ['New run', 'Compare', 'Settings', 'Runs']) await desktop.page.getByRole('link', { name, exact: true }).click();
    await settled();
    expect(complaints).toEqual([]);
  });

  it('8. Do not enable allowRunningInsecureContent', async () => {
    expect(await preferences()).toMatchObject({ allowRunningInsecureContent: false });
  });

  it('9. Do not enable experimental features', async () => {
    expect((await preferences()).experimentalFeatures ?? false).toBe(false);
    const switches = ['enable-experimental-web-platform-features', 'enable-blink-test-features'];
    const on = await desktop.app.evaluate(({ app }, names) => names.filter((name) => app.commandLine.hasSwitch(name)), switches);
    expect(on).toEqual([]);
  });

  it('10. Do not use enableBlinkFeatures', async () => {
    expect((await preferences()).enableBlinkFeatures ?? '').toBe('');
    expect(await desktop.app.evaluate(({ app }) => app.commandLine.hasSwitch('enable-blink-features'))).toBe(false);
  });

  it('11. Do not use allowpopups for WebViews: the page has none, and the tag means nothing', async () => {
    expect(await preferences()).toMatchObject({ webviewTag: false });
    expect(await inPage(() => document.querySelectorAll('webview, iframe, object, embed').length)).toBe(0);
    expect(await inPage(() => 'loadURL' in document.createElement('webview'))).toBe(false);
  });

  it('12. Verify WebView options before creation: none is ever attached', async () => {
    const attached = await desktop.app.evaluate(({ BrowserWindow }) => {
      const { webContents } = BrowserWindow.getAllWindows()[0] as Electron.BrowserWindow;
      const event = { defaultPrevented: false, preventDefault: () => {} };
      event.preventDefault = () => {
        event.defaultPrevented = true;
      };
      webContents.emit('will-attach-webview', event, {}, {});
      return !event.defaultPrevented;
    });
    expect(attached).toBe(false);
  });

  it('13. Disable or limit navigation: the window stays where it is', async () => {
    for (const target of ['https://example.com/', 'file:///etc/passwd', 'data:text/html,hello', 'app://elsewhere/']) {
      await desktop.page.evaluate((url) => {
        window.location.href = url;
      }, target);
      await settled();
      expect(desktop.page.url(), target).toMatch(/^app:\/\/workbench\//);
    }
  });

  it('14. Disable or limit creation of new windows: there is one', async () => {
    expect(await inPage(() => window.open('https://example.com/'))).toBeNull();
    expect(await inPage(() => window.open('app://workbench/'))).toBeNull();
    await inPage(() => {
      const link = Object.assign(document.createElement('a'), { href: 'https://example.com/', target: '_blank' });
      document.body.append(link);
      link.click();
      link.remove();
    });
    await settled();
    expect(await windows()).toBe(1);
  });

  it('15. Do not use shell.openExternal with untrusted content: https, and of the sites we link to', async () => {
    const bad = [
      'file:///etc/passwd',
      'http://github.com/',
      'https://evil.example/',
      'https://github.com.evil.example/',
      'javascript:alert(1)',
      'x',
    ];
    for (const url of bad) {
      expect(await desktop.ask('shell:openExternal', { url }), url).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
    }
  });

  it('16. Use a current version of Electron: pinned exactly, and a supported major', () => {
    const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    expect(devDependencies.electron).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Number.parseInt(devDependencies.electron ?? '', 10)).toBeGreaterThanOrEqual(OLDEST_ELECTRON);
  });

  it('17. Validate the sender of all IPC messages: another window with our preload is not heard; nonsense is refused as data', async () => {
    const answer = await desktop.app.evaluate(async ({ BrowserWindow, app }) => {
      const stranger = new BrowserWindow({
        show: false,
        webPreferences: { preload: `${app.getAppPath()}/dist/electron/preload.js`, sandbox: true },
      });
      await stranger.loadURL('data:text/html,<title>stranger</title>');
      const reply = await stranger.webContents.executeJavaScript("window.workbench.request('runs:list', {})");
      stranger.destroy();
      return reply as { ok: boolean; error?: { message: string } };
    });
    expect(answer).toMatchObject({ ok: false, error: { message: 'this page may not ask the shell' } });
    for (const name of ['nope', 'constructor', '__proto__', 'host:presence', 5, null]) {
      expect(await desktop.ask(name as string, {}), String(name)).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
    }
    expect(await desktop.ask('run:state', { runId: '' })).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
    // A folder that holds no export is not opened either.
    expect(await desktop.ask('shell:showExport', { folder: '/etc' })).toMatchObject({ ok: false, error: { code: 'not-found' } });
    expect(await desktop.ask('shell:showFolder', { runId: '../../etc' })).toMatchObject({ ok: false, error: { code: 'not-found' } });
  });

  it('18. Avoid the file:// protocol: the page’s own scheme gives its built files and nothing else', async () => {
    expect(desktop.page.url()).toMatch(/^app:\/\/workbench\//);
    for (const target of [
      '/../package.json',
      '/..%2f..%2fpackage.json',
      '/%2e%2e/main/app.js',
      '/nothing.html',
      '/assets/',
      '/C:/x.html',
    ]) {
      const status = await desktop.page.evaluate(async (name) => (await fetch(`app://workbench${name}`)).status, target);
      expect(status, target).toBe(404);
    }
    const posted = await inPage(async () => (await fetch('app://workbench/index.html', { method: 'POST' })).status);
    expect(posted).toBe(404);
    const fromDisk = await inPage(() =>
      fetch('file:///etc/hostname').then(
        () => true,
        () => false,
      ),
    );
    expect(fromDisk).toBe(false);
  });

  it('19. Check which fuses you can change: every one is chosen (packaged.test.ts reads them out of an executable)', () => {
    const { resetAdHocDarwinSignature: _none, ...chosen } = config.electronFuses;
    expect(Object.keys(chosen)).toHaveLength(7);
  });

  it('20. Do not expose Electron APIs to untrusted content: the page gets two functions, and events by name alone', async () => {
    expect(await inPage(() => Object.keys((globalThis as unknown as Bridge).workbench))).toEqual(['request', 'on']);
    const listening = inPage(() => (globalThis as unknown as Bridge).workbench.on('ipc-anything', () => {}));
    await expect(listening).rejects.toThrow(/no such event/);
    const { dependencies, devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, object>;
    expect(Object.keys({ ...dependencies, ...devDependencies })).not.toContain('@electron/remote');
  });
});
