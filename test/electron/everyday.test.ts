/**
 * The desktop app on an ordinary day, in a real Electron on a screen: starts, closes and opens again, is started twice, tells of itself outside
 * its window, asks before it quits (product.md section 3 and the desktop rows of section 6). Deaths are in deaths.test.ts.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findEngine } from '../../main/engine/installed.ts';
import type { ResultOf } from '../../main/protocol/requests.ts';
import { readStatus } from '../../main/store/runFolder.ts';
import { askOverBridge, type DesktopApp, type DesktopInstallation, desktopRuntime, installDesktop } from '../support/desktopApp.ts';
import { runContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;

/** What the spies in the main process have seen. */
interface Seen {
  blocked: boolean;
  progress: { value: number; mode: string }[];
  notifications: { title: string; body: string }[];
  questions: string[];
  answers: number[];
}

describe.skipIf(why !== null)(`the desktop app on an ordinary day${why ? ` (skipped: ${why})` : ''}`, () => {
  let installed: DesktopInstallation;
  let desktop: DesktopApp;

  beforeAll(async () => {
    installed = await installDesktop((runtime as { binary: string }).binary);
    desktop = await installed.start();
  });
  afterAll(async () => {
    await desktop?.close();
    installed?.remove();
  });

  const seen = (): Promise<Seen> => desktop.app.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  const start = async (config: unknown): Promise<{ runId: string; dir: string }> => {
    const { value } = await askOverBridge(desktop.page, 'run:start', { config });
    const { runId } = value as ResultOf<'run:start'>;
    return { runId, dir: (await stateOf(runId)).summary.dir };
  };
  const stateOf = async (runId: string) => (await askOverBridge(desktop.page, 'run:state', { runId })).value as ResultOf<'run:state'>;
  const open = (runId: string): Promise<void> =>
    desktop.page.evaluate((id) => {
      window.location.hash = `#/run/${id}/live`;
    }, runId);
  /** The window that is there now, after it was closed and opened again. */
  const nextPage = async (): Promise<Page> => {
    await expect.poll(() => desktop.app.windows().length, { timeout: 20_000 }).toBe(1);
    const page = desktop.app.windows()[0] as Page;
    await page.waitForSelector('.sidebar');
    desktop = { ...desktop, page };
    return page;
  };

  /** Puts spies where the shell speaks to the system, and answers its questions. */
  async function spy(): Promise<void> {
    await desktop.app.evaluate(({ powerSaveBlocker, BrowserWindow, Notification, dialog }) => {
      const found: Seen = { blocked: false, progress: [], notifications: [], questions: [], answers: [] };
      Object.assign(globalThis, { seen: found });
      const block = powerSaveBlocker.start.bind(powerSaveBlocker);
      const stop = powerSaveBlocker.stop.bind(powerSaveBlocker);
      powerSaveBlocker.start = (type) => {
        found.blocked = true;
        return block(type);
      };
      powerSaveBlocker.stop = (id) => {
        found.blocked = false;
        return stop(id);
      };
      BrowserWindow.prototype.setProgressBar = (value, options) => void found.progress.push({ value, mode: options?.mode ?? '' });
      BrowserWindow.prototype.isFocused = () => false;
      Notification.isSupported = () => true;
      Notification.prototype.show = function (this: Electron.Notification) {
        found.notifications.push({ title: this.title, body: this.body });
        Object.assign(globalThis, { lastNotification: this });
      };
      dialog.showMessageBox = (async (...args: unknown[]) => {
        found.questions.push(JSON.stringify(args.at(-1)));
        return { response: found.answers.shift() ?? 2, checkboxChecked: false };
      }) as unknown as typeof dialog.showMessageBox;
    });
  }
  const answer = (...answers: number[]): Promise<void> =>
    desktop.app.evaluate((_electron, given) => void (globalThis as unknown as { seen: Seen }).seen.answers.push(...given), answers);

  it('notifies of what Settings say alone, and a click opens the window that was closed on the run', async () => {
    await spy();
    const preferences = (notify: object) => ({ preferences: { notify, quitWithRun: 'keep' } });
    await askOverBridge(desktop.page, 'shell:setPreferences', preferences({ proposed: false, finished: false }));
    expect((await askOverBridge(desktop.page, 'shell:preferences', {})).value).toMatchObject(
      preferences({ proposed: false, switched: true }),
    );
    const { runId } = await start({ ...SMALL_RUN, prelora: { ...SMALL_RUN.prelora, switching: 'auto' } });
    await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
    await expect.poll(() => desktop.app.windows().length).toBe(0);
    await expect
      .poll(async () => (await seen()).notifications.map(({ title }) => title))
      .toEqual([expect.stringContaining('has switched to LoRA')]);
    await desktop.app.evaluate(() => (globalThis as unknown as { lastNotification: NodeJS.EventEmitter }).lastNotification.emit('click'));
    const page = await nextPage();
    await expect.poll(() => new URL(page.url()).hash).toBe(`#/run/${runId}/switch`);
    expect((await seen()).questions).toEqual([]);
    await askOverBridge(page, 'shell:setPreferences', { preferences: {} });
    await askOverBridge(page, 'run:stop', { runId, discard: true });
  });

  it('paints its first screen, and says how soon after its start (npm run measure times it alone)', async () => {
    await desktop.close();
    desktop = await installed.start();
    await spy();
    const startedAt = await desktop.app.evaluate(() => process.getCreationTime());
    const paintedAt = await desktop.page.evaluate(async () => {
      const paints = () => performance.getEntriesByName('first-contentful-paint');
      while (paints().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      return performance.timeOrigin + (paints()[0]?.startTime ?? 0);
    });
    const ms = paintedAt - (startedAt ?? 0);
    console.log(`start to first paint: ${ms.toFixed(0)} ms`);
    expect(ms).toBeGreaterThan(0);
  });

  it.skipIf(!findEngine())('loads the native engine into the utility process alone, where a worker trains', async () => {
    // The sample: timed in one worker thread, which ends, then trained in another.
    const { value } = await desktop.ask('run:sample', {});
    const { runId } = value as ResultOf<'run:sample'>;
    const { dir } = (await stateOf(runId)).summary;
    await expect.poll(async () => (await readStatus(dir))?.step, { timeout: 60_000 }).toBeGreaterThan(20);
    expect((await readStatus(dir))?.backend.name).toBe('tensorflow');
    const main = desktop.app.process().pid as number;
    const pids = await desktop.app.evaluate(({ app }) => app.getAppMetrics().map(({ pid, name, type }) => ({ pid, name: name ?? type })));
    const engine = pids.find(({ name }) => name === 'PreLoRA engine')?.pid as number;
    expect(mapsOf(engine)).toContain('libtensorflow');
    for (const { pid } of pids.filter((one) => one.pid !== engine)) expect(mapsOf(pid), String(pid)).not.toContain('libtensorflow');
    expect(main).not.toBe(engine);
    await askOverBridge(desktop.page, 'run:stop', { runId, discard: true });
  });

  it('keeps the machine awake while it trains and not while paused; shows progress; notifies, and a click leads to the place', async () => {
    const { runId } = await start(SMALL_RUN);
    await expect.poll(async () => (await seen()).blocked).toBe(true);
    await expect.poll(async () => (await seen()).progress.at(-1)?.value, { timeout: 10_000 }).toBeGreaterThan(0);
    await expect
      .poll(async () => (await seen()).notifications)
      .toContainEqual(expect.objectContaining({ title: expect.stringContaining('switch to LoRA proposed') }));
    const hash = (): string => new URL(desktop.page.url()).hash;
    expect(hash()).not.toContain(runId);
    await askOverBridge(desktop.page, 'run:pause', { runId });
    await expect.poll(async () => (await seen()).blocked).toBe(false);
    await expect.poll(async () => (await seen()).progress.at(-1)?.mode).toBe('paused');
    await desktop.app.evaluate(({ BrowserWindow }) => {
      BrowserWindow.getAllWindows()[0]?.hide();
      (globalThis as unknown as { lastNotification: NodeJS.EventEmitter }).lastNotification.emit('click');
    });
    expect(await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible())).toBe(true);
    await expect.poll(hash).toBe(`#/run/${runId}/switch`);
    await askOverBridge(desktop.page, 'run:resume', { runId });
    await expect.poll(async () => (await seen()).blocked).toBe(true);
    await askOverBridge(desktop.page, 'run:stop', { runId, discard: true });
    await expect.poll(async () => (await seen()).blocked).toBe(false);
    await expect.poll(async () => (await seen()).progress.at(-1)?.value).toBe(-1);
  });

  it('tells the page of a change of the queue, whoever made it', async () => {
    const { page } = desktop;
    await page.evaluate(() => {
      window.location.hash = '#/queue';
    });
    await page.getByText('Nothing is queued').waitFor();
    await askOverBridge(page, 'queue:pause', { paused: true });
    const config = { ...SMALL_RUN, name: 'queued by another', prelora: { ...SMALL_RUN.prelora, switching: 'off' } };
    const { value } = await askOverBridge(page, 'queue:add', { orders: [{ config }] });
    await page.getByText('queued by another').first().waitFor({ timeout: 10_000 });
    await askOverBridge(page, 'queue:remove', { ids: (value as ResultOf<'queue:add'>).ids });
    await askOverBridge(page, 'queue:pause', { paused: false });
  });

  it('runs the page’s commands from menu and keys', async () => {
    const { page } = desktop;
    const choose = (label: string): Promise<void> =>
      desktop.app.evaluate(({ Menu }, wanted) => {
        const all = (menu: Electron.Menu | null): Electron.MenuItem[] =>
          (menu?.items ?? []).flatMap((item) => [item, ...all(item.submenu ?? null)]);
        all(Menu.getApplicationMenu())
          .find((item) => item.label === wanted)
          ?.click();
      }, label);
    for (const [label, hash] of [
      ['New run', '#/new'],
      ['Runs', '#/runs'],
      ['Compare', '#/compare'],
      ['Settings', '#/settings'],
    ] as const) {
      await choose(label);
      await expect.poll(() => new URL(page.url()).hash).toContain(hash);
    }
    await choose('Keyboard shortcuts');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+n');
    await expect.poll(() => new URL(page.url()).hash).toBe('#/new');
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
  });

  it.each([
    ['folder', 'pictures é'],
    ['file in shards', 'train-00000-of-00001.parquet'],
  ])('takes a dropped %s as data of a new run', async (kind, name) => {
    const { page } = desktop;
    const folder = path.join(installed.dataDir, name);
    if (kind === 'folder') mkdirSync(folder, { recursive: true });
    else writeFileSync(folder, 'PAR1');
    await page.evaluate(() => {
      window.location.hash = '#/runs';
    });
    const devtools = await page.context().newCDPSession(page);
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await devtools.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
    }
    await expect.poll(() => new URL(page.url()).hash).toBe('#/new');
    await expect.poll(() => page.locator('[data-field="data.source"] input').inputValue()).toBe(folder);
  });

  it('makes a run of a dropped bundle, and says where it is', async () => {
    const { page } = desktop;
    const file = path.join(installed.dataDir, 'golden.prelora.zip');
    copyFileSync(path.resolve(import.meta.dirname, '../fixtures/bundle/bundle-v1.zip'), file);
    await page.evaluate(() => {
      window.location.hash = '#/runs';
    });
    const devtools = await page.context().newCDPSession(page);
    const data = { items: [], files: [file], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await devtools.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
    }
    await page.getByText('Imported golden.').first().waitFor();
    await page.getByRole('link', { name: 'Open the run' }).click();
    await expect.poll(() => new URL(page.url()).hash).toMatch(/^#\/run\/3a6c935f-/);
    await page.getByText('step 9 of 9').first().waitFor();
  });

  it('closed with an active run trains on in the tray; a second start ends itself and opens the window of the first', async () => {
    const { runId, dir } = await start(SMALL_RUN);
    await answer(1);
    await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
    await expect.poll(async () => (await seen()).questions.length).toBe(1);
    await expect.poll(() => desktop.app.windows().length).toBe(0);
    const closedAt = (await readStatus(dir))?.step ?? 0;
    await expect.poll(async () => (await readStatus(dir))?.step, { timeout: 20_000 }).toBeGreaterThan(closedAt + 20);
    expect(await installed.startBeside()).toBe(0);
    const page = await nextPage();
    await open(runId);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    const { metrics } = await stateOf(runId);
    expect(metrics.map(({ step }) => step)).toEqual(metrics.map((_, i) => i + 1));
    await askOverBridge(page, 'run:stop', { runId, discard: true });
  });

  it('quit with an active run: cancel changes nothing, the tray keeps training, a checkpoint ends it', async () => {
    await spy();
    const { runId, dir } = await start(SMALL_RUN);
    const quit = (): Promise<void> => desktop.app.evaluate(({ app }) => app.quit()).catch(() => {});
    await answer(2);
    await quit();
    await expect.poll(async () => (await seen()).questions.length).toBe(1);
    expect(desktop.app.windows()).toHaveLength(1);
    expect((await stateOf(runId)).live).toBe(true);
    await answer(1);
    await quit();
    await expect.poll(() => desktop.app.windows().length).toBe(0);
    const hiddenAt = (await readStatus(dir))?.step ?? 0;
    await expect.poll(async () => (await readStatus(dir))?.step, { timeout: 20_000 }).toBeGreaterThan(hiddenAt + 20);
    const ended = new Promise((resolve) => desktop.app.process().once('exit', resolve));
    await answer(0);
    await quit();
    expect(await ended).toBe(0);
    const status = await readStatus(dir);
    expect(status?.status).toBe('interrupted');
    expect((await runContent(dir)).step).toBe(status?.step);
  });
});

function mapsOf(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, 'utf8');
}
