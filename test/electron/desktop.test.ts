/**
 * The desktop app as built, in a real Electron: Electron's published security checklist item by item, and a run that outlives its page and the
 * death of its engine process. https://www.electronjs.org/docs/latest/tutorial/security
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunFrame } from '../../main/protocol/events.ts';
import type { ResultOf } from '../../main/protocol/requests.ts';
import { type DesktopApp, desktopRuntime, startDesktopApp } from '../support/desktopApp.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;
let desktop: DesktopApp;

interface Bridge {
  workbench: { request: unknown; on(event: string, listener: (payload: unknown) => void): () => void };
  frames: RunFrame[];
  exits: unknown[];
}

describe.skipIf(why !== null)(`the desktop app${why ? ` (skipped: ${why})` : ''}`, () => {
  beforeAll(async () => {
    desktop = await startDesktopApp((runtime as { binary: string }).binary);
  });
  afterAll(() => desktop?.close());

  const inPage = <T>(work: () => T): Promise<T> => desktop.page.evaluate(work);

  describe('holds the security checklist', () => {
    it('1, 18: only content of its own, over its own secure scheme', async () => {
      expect(desktop.page.url()).toMatch(/^app:\/\/workbench\//);
      expect(await inPage(() => window.isSecureContext)).toBe(true);
      const foreign = await inPage(
        () => performance.getEntriesByType('resource').filter(({ name }) => !name.startsWith('app://workbench/')).length,
      );
      expect(foreign).toBe(0);
    });

    it('2 to 4, 6, 8 to 12: no Node, isolated, sandboxed, web security on, nothing experimental, no webview', async () => {
      const found = await desktop.app.evaluate(({ BrowserWindow }) => {
        // Not in Electron's typings, but the only way to see what a window really got.
        type Revealing = { webContents: { getLastWebPreferences(): Record<string, unknown> } };
        return (BrowserWindow.getAllWindows()[0] as unknown as Revealing).webContents.getLastWebPreferences();
      });
      expect(found).toMatchObject({
        nodeIntegration: false,
        nodeIntegrationInSubFrames: false,
        contextIsolation: true,
        sandbox: true,
        webSecurity: true,
        allowRunningInsecureContent: false,
        webviewTag: false,
      });
      expect(found.experimentalFeatures ?? false).toBe(false);
      expect(found.enableBlinkFeatures ?? '').toBe('');
      expect(await inPage(() => [typeof Reflect.get(globalThis, 'process'), typeof Reflect.get(globalThis, 'require')])).toEqual([
        'undefined',
        'undefined',
      ]);
    });

    it('5: permissions are denied', async () => {
      expect(await inPage(() => Notification.requestPermission())).toBe('denied');
      const location = await inPage(
        () =>
          new Promise<string>((resolve) =>
            navigator.geolocation.getCurrentPosition(
              () => resolve('told'),
              () => resolve('denied'),
            ),
          ),
      );
      expect(location).toBe('denied');
    });

    it('7: a policy without eval, inline code or other hosts, also outside the page’s own folder', async () => {
      const policy = await inPage(async () => (await fetch('app://workbench/index.html')).headers.get('content-security-policy'));
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain('unsafe');
      const inline = await inPage(() => {
        const script = document.createElement('script');
        script.textContent = 'window.wasRun = true';
        document.head.append(script);
        return Reflect.get(window, 'wasRun');
      });
      expect(inline).toBeUndefined();
      for (const path of ['/../package.json', '/..%2f..%2fpackage.json', '/%2e%2e/main/app.js', '/nothing.html', '/assets/']) {
        const status = await desktop.page.evaluate(async (target) => (await fetch(`app://workbench${target}`)).status, path);
        expect(status, path).toBe(404);
      }
      expect(
        await inPage(() =>
          fetch('https://example.com/').then(
            () => 'reached',
            () => 'refused',
          ),
        ),
      ).toBe('refused');
    });

    it('13, 14: no way to another page or window', async () => {
      expect(await inPage(() => window.open('https://example.com/'))).toBeNull();
      await inPage(() => {
        window.location.href = 'https://example.com/';
      });
      await inPage(() => new Promise((resolve) => setTimeout(resolve, 300)));
      expect(desktop.page.url()).toMatch(/^app:\/\/workbench\//);
      expect(await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
    });

    it('15: opens no link but those of the allow-list', async () => {
      for (const url of [
        'file:///etc/passwd',
        'http://github.com/',
        'https://evil.example/',
        'https://github.com.evil.example/',
        'javascript:alert(1)',
        'x',
      ]) {
        expect(await desktop.ask('shell:openExternal', { url }), url).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
      }
    });

    it('17: a request that is none is refused as data', async () => {
      for (const name of ['nope', 'constructor', '__proto__', 'host:presence', 5, null]) {
        expect(await desktop.ask(name as string, {}), String(name)).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
      }
      expect(await desktop.ask('run:state', { runId: '' })).toMatchObject({ ok: false, error: { code: 'bad-arguments' } });
      expect(await desktop.ask('shell:showFolder', { runId: '../../etc' })).toMatchObject({ ok: false, error: { code: 'not-found' } });
    });

    it('20: the page gets two functions and no Electron', async () => {
      expect(await inPage(() => Object.keys((globalThis as unknown as Bridge).workbench))).toEqual(['request', 'on']);
      const listening = inPage(() => (globalThis as unknown as Bridge).workbench.on('ipc-anything', () => {}));
      await expect(listening).rejects.toThrow(/no such event/);
    });
  });

  /** Starts a run as the page would, and collects its frames in the page. */
  async function startRun(): Promise<string> {
    const reply = await desktop.ask('run:start', { config: SMALL_RUN });
    expect(reply).toMatchObject({ ok: true });
    const { runId } = reply.value as ResultOf<'run:start'>;
    return runId;
  }

  const stateOf = async (runId: string) => (await desktop.ask('run:state', { runId })).value as ResultOf<'run:state'>;

  it('trains in the utility process: frames come to the page by a port of their own, and the run outlives a reload', async () => {
    const runId = await startRun();
    await expect.poll(async () => (await stateOf(runId)).metrics.length, { timeout: 30_000 }).toBeGreaterThan(5);
    await desktop.page.reload();
    await desktop.page.waitForLoadState('load');
    const { live, metrics } = await stateOf(runId);
    expect(live).toBe(true);
    expect(metrics.map(({ step }) => step)).toEqual(metrics.map((_, i) => i + 1));
    await expect
      .poll(() => desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getTitle()), { timeout: 10_000 })
      .toContain('%');
    const loaded = await desktop.app.evaluate(() => Object.keys(process.mainModule?.children ?? {}).join());
    expect(loaded).not.toContain('tensorflow');
    expect(await desktop.ask('run:stop', { runId })).toMatchObject({ ok: true });
  });

  it('survives the abort of its engine process: the page stays, the run is marked and resumes (R14)', async () => {
    const runId = await startRun();
    await expect.poll(async () => (await stateOf(runId)).metrics.length, { timeout: 30_000 }).toBeGreaterThan(10);
    await inPage(() => {
      const bridge = globalThis as unknown as Bridge;
      bridge.exits = [];
      bridge.workbench.on('trainer:exited', (exit) => bridge.exits.push(exit));
    });
    const pid = await desktop.app.evaluate(({ app }) => app.getAppMetrics().find(({ name }) => name === 'PreLoRA engine')?.pid);
    process.kill(pid as number, 'SIGABRT');
    await expect
      .poll(() => inPage(() => (globalThis as unknown as Bridge).exits), { timeout: 10_000 })
      .toMatchObject([{ runId, resumable: true }]);
    await expect.poll(async () => (await stateOf(runId))?.summary.status.status, { timeout: 20_000 }).toBe('interrupted');
    expect(await desktop.ask('run:resume', { runId })).toMatchObject({ ok: true });
    await expect.poll(async () => (await stateOf(runId)).summary.status.status, { timeout: 20_000 }).toBe('running');
  });

  it('asks before it quits with an active run, writes a checkpoint, and ends', async () => {
    const ended = new Promise((resolve) => desktop.app.process().once('exit', resolve));
    const questions = (): Promise<string[]> => desktop.app.evaluate(() => (globalThis as unknown as { questions: string[] }).questions);
    await desktop.app.evaluate(({ app, dialog }) => {
      const asked: string[] = [];
      const answers = [2, 0];
      Object.assign(globalThis, { questions: asked });
      dialog.showMessageBox = (async (...args: unknown[]) => {
        asked.push(JSON.stringify(args.at(-1)));
        return { response: answers.shift() ?? 0, checkboxChecked: false };
      }) as unknown as typeof dialog.showMessageBox;
      app.quit();
    });
    await expect.poll(questions, { timeout: 15_000 }).toEqual([expect.stringContaining('Keep training')]);
    const { runId } = ((await desktop.ask('runs:list', {})).value as ResultOf<'runs:list'>)[0] ?? { runId: '' };
    expect((await stateOf(runId)).live).toBe(true);
    await desktop.app.evaluate(({ app }) => app.quit()).catch(() => {});
    await ended;
  });
});
