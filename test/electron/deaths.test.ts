/**
 * Whatever of the desktop app dies during a run – trainer, engine process, page, the whole program – the way back is one click at most, and the
 * run ends as one that was never disturbed: same records, same ranks, same weights and moments, byte for byte (reliability.md R1, R14).
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResultOf } from '../../main/protocol/requests.ts';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { type DesktopApp, type DesktopInstallation, desktopRuntime, installDesktop } from '../support/desktopApp.ts';
import { startPackagedApp } from '../support/packagedApp.ts';
import { type RunContent, runContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;

const CONFIG = {
  ...SMALL_RUN,
  train: { ...SMALL_RUN.train, epochs: 40 },
  prelora: { ...SMALL_RUN.prelora, switching: 'auto', minStep: 100, jointSteps: 100 },
};
/** Steps to die after: one in each phase. */
const IN_FULL = 30;
const IN_WARMUP = 120;
const IN_LORA = 230;
const WAIT = { timeout: 240_000 };

type Shown = Pick<DesktopApp, 'ask' | 'page'>;

describe.skipIf(why !== null)(`a run in the desktop app outlives${why ? ` (skipped: ${why})` : ''}`, { timeout: 500_000 }, () => {
  let installed: DesktopInstallation;
  let desktop: DesktopApp;
  let undisturbed: RunContent;

  beforeAll(async () => {
    installed = await installDesktop((runtime as { binary: string }).binary);
    desktop = await installed.start();
  });
  afterAll(async () => {
    await desktop?.close();
    installed?.remove();
  });

  /** A run whose screen is open. */
  async function start(shown: Shown = desktop): Promise<{ runId: string; dir: string }> {
    const { runId } = (await shown.ask('run:start', { config: CONFIG })).value as ResultOf<'run:start'>;
    const { summary } = (await shown.ask('run:state', { runId })).value as ResultOf<'run:state'>;
    await open(runId, shown);
    return { runId, dir: summary.dir };
  }
  const open = async (runId: string, { page }: Shown = desktop): Promise<void> => {
    await page.evaluate((id) => {
      window.location.hash = `#/run/${id}/live`;
    }, runId);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor(WAIT);
  };
  const passes = (dir: string, step: number): Promise<void> =>
    expect.poll(async () => (await readStatus(dir))?.step ?? 0, WAIT).toBeGreaterThan(step);
  const finished = (dir: string): Promise<void> => expect.poll(async () => (await readStatus(dir))?.status, WAIT).toBe('finished');
  const resumeByOneClick = (): Promise<void> => desktop.page.getByRole('button', { name: 'Resume', exact: true }).last().click(WAIT);
  const resumptions = async (dir: string): Promise<number> =>
    (await readRecords(dir, 'events')).filter(({ kind }) => kind === 'resumed').length;
  const enginePid = (): Promise<number | undefined> =>
    desktop.app.evaluate(({ app }) => app.getAppMetrics().find(({ name }) => name === 'PreLoRA engine')?.pid);

  /** Ends the engine process while nothing is trained: the one that takes its place is mortal in its trainer (mortalTrainer.cjs). */
  async function makeTrainerMortal(): Promise<void> {
    const entry = fileURLToPath(new URL('../support/mortalTrainer.cjs', import.meta.url));
    await desktop.app.evaluate(({ utilityProcess }, wrapper) => {
      const fork = utilityProcess.fork.bind(utilityProcess);
      utilityProcess.fork = (program, args, options) =>
        fork(wrapper, args, { ...options, env: { ...options?.env, WORKBENCH_HOST_ENTRY: program } });
    }, entry);
    const before = (await enginePid()) as number;
    process.kill(before, 'SIGKILL');
    await expect.poll(async () => ![undefined, before].includes(await enginePid()), WAIT).toBe(true);
    await expect.poll(async () => (await desktop.ask('runs:list', {})).ok, WAIT).toBe(true);
  }

  it('nothing, to compare with', async () => {
    const { dir } = await start();
    await finished(dir);
    undisturbed = await runContent(dir);
    expect(undisturbed.step).toBe(320);
  });

  it('its page, without any click: a new page is loaded and shows the run, which trained on', async () => {
    const watched = await startPackagedApp(installed.executable);
    try {
      const { runId, dir } = await start(watched);
      await passes(dir, IN_FULL);
      const stepAtDeath = (await readStatus(dir))?.step ?? 0;
      await watched.unwatched(async () => {
        for (const pid of rendererPids(watched.pid)) process.kill(pid, 'SIGKILL');
        await passes(dir, stepAtDeath);
      });
      expect(new URL(watched.page.url()).hash).toBe(`#/run/${runId}/live`);
      await watched.page.getByRole('application', { name: 'Throughput, memory' }).waitFor(WAIT);
      await finished(dir);
      expect(await resumptions(dir)).toBe(0);
      expect(await runContent(dir)).toEqual(undisturbed);
    } finally {
      await watched.close();
    }
  });

  it('its trainer', async () => {
    await makeTrainerMortal();
    const { dir } = await start();
    await passes(dir, IN_FULL);
    const engine = (await enginePid()) as number;
    process.kill(engine, 'SIGUSR2');
    await desktop.page.getByText(/The trainer ended unexpectedly at step/).waitFor(WAIT);
    expect(await enginePid()).toBe(engine);
    await resumeByOneClick();
    await finished(dir);
    expect(await resumptions(dir)).toBe(1);
    expect(await runContent(dir)).toEqual(undisturbed);
  });

  it('its engine process', async () => {
    const { dir } = await start();
    await passes(dir, IN_WARMUP);
    process.kill((await enginePid()) as number, 'SIGKILL');
    await desktop.page
      .getByText(/The trainer ended unexpectedly|everything is kept/)
      .first()
      .waitFor(WAIT);
    await resumeByOneClick();
    await finished(dir);
    expect(await resumptions(dir)).toBe(1);
    expect(await runContent(dir)).toEqual(undisturbed);
  });

  it('the whole program', async () => {
    const { runId, dir } = await start();
    await passes(dir, IN_LORA);
    await desktop.close();
    expect((await readStatus(dir))?.status).toBe('running');
    desktop = await installed.start();
    await open(runId);
    await resumeByOneClick();
    await finished(dir);
    expect(await resumptions(dir)).toBe(1);
    expect(await runContent(dir)).toEqual(undisturbed);
  });

  it('its engine process, killed by the system for memory: told as that, with the largest micro-batch that fits as a fork', async () => {
    const { runId, dir } = await start();
    await passes(dir, IN_FULL);
    // The kernel's counter, as the shell reads it after the death.
    await desktop.app.evaluate(() => {
      const files = process.mainModule?.require('node:fs') as typeof import('node:fs');
      const read = files.readFileSync;
      files.readFileSync = ((file: string, ...rest: []) =>
        file === '/proc/vmstat' ? 'oom_kill 999999\n' : read(file, ...rest)) as typeof read;
    });
    process.kill((await enginePid()) as number, 'SIGKILL');
    await desktop.page.getByText(/Memory ran out at step/).waitFor(WAIT);
    const crashes = (await readRecords(dir, 'events')).filter(({ kind }) => kind === 'crash');
    expect(crashes).toMatchObject([{ by: 'program', detail: { memory: { microBatch: 8, fits: 4 } } }]);
    await desktop.page.getByRole('button', { name: 'Fork with micro-batches of 4' }).click(WAIT);
    await expect.poll(() => new URL(desktop.page.url()).hash, WAIT).not.toContain(runId);
    const forkId = new URL(desktop.page.url()).hash.split('/')[2] as string;
    const { value } = await desktop.ask('run:state', { runId: forkId });
    expect((value as ResultOf<'run:state'>).summary.config.train).toMatchObject({ batchSize: 8, microBatch: 4 });
    await desktop.ask('run:stop', { runId: forkId, discard: true });
  });
});

/** Processes of this group that show a page. */
function rendererPids(group: number): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,pgid=,args='], { encoding: 'utf8' }).split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return fields.filter(([, pgid, ...args]) => Number(pgid) === group && args.includes('--type=renderer')).map(([pid]) => Number(pid));
}
