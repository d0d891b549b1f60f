/**
 * The desktop app as built, in a real Electron: a run that outlives its page and the death of its engine process, and quitting.
 * Electron's security checklist is security.test.ts.
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
