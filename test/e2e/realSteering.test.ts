/** Steering a real run from the page: pause and resume, thresholds by drag, field and keys, stop and resume, extend. What was steered is data: config and journal give the run again. */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { runContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, waitForStatus } from './support/realBrowser.ts';
import { editTau, expectSameAgain, pauseAndResume, RULED } from './support/steering.ts';

describe.skipIf(!findChromium())('a run steered from the page', () => {
  const browser = realBrowser();

  it('paused for 3 s, resumed, τ edited by drag, field and keys, trains as its config and journal tell', async () => {
    const config = { ...RULED, train: { ...RULED.train, epochs: 60 } };
    const { runId, dir } = await browser.start(config);
    const page = await browser.open(runId);
    await pauseAndResume(page, dir);
    await editTau(page, dir);
    await waitForStatus(page, 'Finished');
    await expectSameAgain(dir);
  });

  it('stopped and kept in each phase, and resumed, ends as one that was never stopped', async () => {
    const config = {
      ...RULED,
      train: { ...RULED.train, epochs: 40 },
      prelora: { ...RULED.prelora, tau: 100, minStep: 100, jointSteps: 100 },
    };
    const whole = await browser.start(config);
    await browser.engine.request('run:state', { runId: whole.runId });
    await expect.poll(async () => (await readStatus(whole.dir))?.status, { timeout: 30_000 }).toBe('finished');
    const { runId, dir } = await browser.start(config);
    const page = await browser.open(runId);
    for (const phase of ['Full', 'Joint warm-up', 'LoRA']) {
      await waitForStatus(page, phase);
      await page.getByRole('button', { name: 'Stop', exact: true }).click();
      await page.getByRole('menuitem', { name: /^Stop and keep/ }).click();
      await page.getByText('everything is kept').waitFor();
      await waitForStatus(page, phase);
      await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
      await waitForStatus(page, 'Running');
    }
    await waitForStatus(page, 'Finished');
    const stops = (await readRecords(dir, 'events')).filter(({ kind }) => kind === 'interrupted');
    expect(stops).toHaveLength(3);
    expect(await runContent(dir)).toEqual(await runContent(whole.dir));
  });

  it('stopped and discarded is in the trash, and comes back with Undo', async () => {
    const { runId, dir } = await browser.start(SMALL_RUN);
    const page = await browser.open(runId);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('menuitem', { name: /^Stop and discard/ }).click();
    await page.locator('.toast', { hasText: 'Stopped and moved to the trash.' }).waitFor();
    expect((await browser.engine.request('runs:list', {})).map((run) => run.runId)).not.toContain(runId);
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await expect.poll(async () => (await readStatus(dir).catch(() => null))?.status).toBe('interrupted');
    expect((await browser.engine.request('runs:list', {})).map((run) => run.runId)).toContain(runId);
  });

  it.each([
    ['Continue from the current LR', 'continue'],
    ['Recompute as if planned', 'recompute'],
    ['Hold', 'hold'],
  ])('extended with "%s" goes on to the new end, and as its journal tells', async (choice, extension) => {
    const { runId, dir } = await browser.start({ ...RULED, train: { ...RULED.train, epochs: 12 } });
    const page = await browser.open(runId);
    // One is extended on its way, the others after their end.
    if (extension === 'continue') await browser.engine.request('run:pause', { runId });
    else await waitForStatus(page, 'Finished');
    await page.getByRole('button', { name: 'Extend…' }).click();
    await page.getByRole('textbox', { name: 'Epochs' }).fill('20');
    await page.keyboard.press('Tab');
    await page.getByRole('radio', { name: choice }).check();
    await page.getByRole('button', { name: /^Apply 12 → 20 epochs/ }).click();
    if (extension === 'continue') await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByText('step 160 of 160').waitFor();
    await waitForStatus(page, 'Finished');
    const edit = (await readRecords(dir, 'events')).find(({ kind }) => kind === 'edited');
    expect(edit?.detail).toEqual({ field: 'train.epochs', from: 12, to: 20, extension });
    expect((await readRecords(dir, 'metrics')).map(({ step }) => step)).toEqual(Array.from({ length: 160 }, (_, i) => i + 1));
  });
});
