/** The trainer killed under the page: the window stays, says what happened and what is saved, and one click goes on as if nothing had been. */
import { mkdirSync, watch } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { lockHolder } from '../../main/store/lock.ts';
import { readStatus } from '../../main/store/runFolder.ts';
import { runContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, waitForStatus } from './support/realBrowser.ts';

const CONFIG = {
  ...SMALL_RUN,
  train: { ...SMALL_RUN.train, epochs: 40, checkpointEvery: 20, evalEvery: 10 },
  prelora: { ...SMALL_RUN.prelora, switching: 'auto', minStep: 100, jointSteps: 100 },
};

function killTrainer(dir: string): void {
  const holder = lockHolder(dir);
  if (!holder) throw new Error('nobody trains this run');
  process.kill(holder.pid, 'SIGKILL');
}

/** Kills the trainer as soon as something moves in the checkpoints' folder: while a checkpoint is being written. */
function killInCheckpoint(dir: string): Promise<string> {
  const folder = path.join(dir, 'checkpoints');
  mkdirSync(folder, { recursive: true });
  return new Promise((resolve) => {
    const watcher = watch(folder, (_event, name) => {
      watcher.close();
      killTrainer(dir);
      resolve(String(name));
    });
  });
}

describe.skipIf(!findChromium())('a trainer that is killed', () => {
  const browser = realBrowser();

  it('in each phase, and while it writes a checkpoint, costs one click; the run ends as one that was never killed', {
    timeout: 180_000,
  }, async () => {
    const whole = await browser.start(CONFIG);
    await expect.poll(async () => (await readStatus(whole.dir))?.status, { timeout: 60_000 }).toBe('finished');
    const { runId, dir } = await browser.start(CONFIG);
    const page = await browser.open(runId);
    const phases: string[] = [];
    const resumeByClick = async (): Promise<void> => {
      const banner = page.getByText(/The trainer ended unexpectedly at step/);
      await banner.waitFor();
      await page.getByText(/Saved up to step|There is no checkpoint yet/).waitFor();
      phases.push((await readStatus(dir))?.phase ?? 'none');
      await page.getByRole('button', { name: 'Resume', exact: true }).last().click();
      await waitForStatus(page, 'Running');
    };
    for (const phase of ['Full', 'Joint warm-up', 'LoRA']) {
      await waitForStatus(page, phase);
      await page.waitForTimeout(150);
      killTrainer(dir);
      await resumeByClick();
      if (phase !== 'Full') continue;
      expect(await killInCheckpoint(dir)).toMatch(/step-\d+/);
      await resumeByClick();
    }
    await waitForStatus(page, 'Finished');
    expect(phases).toEqual(['full', 'full', 'warmup', 'lora']);
    const { events } = await browser.engine.request('run:state', { runId });
    expect(events.filter(({ kind }) => kind === 'crash')).toHaveLength(4);
    expect(await runContent(dir)).toEqual(await runContent(whole.dir));
  });

  it('is told of in a dialog when another screen is open, and resumed from there', async () => {
    const { runId, dir } = await browser.start(SMALL_RUN);
    const page = await browser.open();
    await expect.poll(async () => (await readStatus(dir))?.step, { timeout: 20_000 }).toBeGreaterThan(10);
    killTrainer(dir);
    const dialog = page.getByRole('dialog', { name: /the trainer ended unexpectedly/ });
    await dialog.getByText(/SIGKILL; when resumed, it goes on from the checkpoint of step \d+/).waitFor();
    await dialog.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.waitForURL(new RegExp(`#/run/${runId}/live`));
    await waitForStatus(page, 'Running');
    await browser.engine.request('run:stop', { runId });
  });
});
