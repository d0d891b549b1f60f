/** Watching a real run: pages that come, go, reload and stand side by side show what the files hold; looking and trying changes nothing. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { runContent } from '../support/runContent.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, tableOf, waitForStatus } from './support/realBrowser.ts';

const prelora = path.resolve(import.meta.dirname, '../../build/prelora.mjs');

/** Step and loss of every line, as the table's cells hold them: full values. */
async function lossesOnDisk(dir: string): Promise<string[][]> {
  return (await readRecords(dir, 'metrics')).slice(-400).map(({ step, loss }) => [String(step), String(loss)]);
}

async function lossesOnPage(page: Page): Promise<string[][]> {
  return (await tableOf(page, 'Throughput, memory')).map((row) => row.slice(0, 2));
}

/** Sparing with evaluations and checkpoints, which take longer than its steps. */
const trained = (epochs: number) => ({ ...SMALL_RUN, train: { ...SMALL_RUN.train, epochs, checkpointEvery: 40, evalEvery: 10 } });

describe.skipIf(!findChromium())('a run on the page', () => {
  const browser = realBrowser();

  it('has in its tables what the files hold: after a reload, closed and opened again, and on two pages at once', async () => {
    const { runId, dir } = await browser.start(trained(40));
    const page = await browser.open(runId);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    await page.reload();
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    const other = await browser.open(runId);
    await other.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    await page.close();
    await expect.poll(async () => (await readStatus(dir))?.step, { timeout: 30_000 }).toBeGreaterThan(100);
    const again = await browser.open(runId);
    await other.getByRole('button', { name: 'Pause', exact: true }).click();
    for (const one of [again, other]) await waitForStatus(one, 'Paused');
    const written = await lossesOnDisk(dir);
    for (const one of [again, other]) await expect.poll(() => lossesOnPage(one)).toEqual(written);
    await again.getByRole('button', { name: 'Resume', exact: true }).click();
    for (const one of [again, other]) await waitForStatus(one, 'Finished');
    const whole = await lossesOnDisk(dir);
    expect(whole.map(([step]) => Number(step))).toEqual(Array.from({ length: 320 }, (_, i) => i + 1));
    for (const one of [again, other]) await expect.poll(() => lossesOnPage(one)).toEqual(whole);
  });

  it('is not changed by trying an image, evaluating and replaying while it trains; What-if says what `prelora replay` says', async () => {
    const config = trained(60);
    const { runId, dir } = await browser.start(config);
    const page = await browser.open(runId, 'evaluate');
    await page.getByRole('button', { name: 'Classify' }).click();
    await page.getByAltText('What the model saw').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('button', { name: 'Evaluate on the validation set' }).click();
    await page.getByText('top-1, 95 % interval').waitFor();
    expect((await readStatus(dir))?.status, 'looked at while it trained').toBe('running');

    await page.getByRole('link', { name: 'What-if' }).click();
    await page.getByRole('button', { name: 'Recorded values' }).waitFor();
    await page.getByRole('link', { name: /^Live/ }).click();
    await waitForStatus(page, 'Finished');
    const tau = 2;
    await page.getByRole('link', { name: 'What-if' }).click();
    const field = page.getByRole('textbox', { name: 'τ' });
    await field.fill(String(tau));
    await field.press('Enter');
    const { stdout } = await promisify(execFile)(process.execPath, [prelora, 'replay', dir, '--tau', String(tau), '--json']);
    const replayed = JSON.parse(stdout) as { switchStep: number | null };
    const words =
      replayed.switchStep === null ? /^no switch/i : new RegExp(`^switch at step ${replayed.switchStep.toLocaleString('en')}\\b`, 'i');
    await expect.poll(() => page.locator('p.headline').innerText()).toMatch(words);
    const { result } = { result: await browser.engine.request('replay', { runId, settings: { tau } }) };
    expect(replayed).toMatchObject(JSON.parse(JSON.stringify({ switchStep: result.switchStep, ranks: result.ranks })));

    const untouched = await browser.start(config);
    await expect.poll(async () => (await readStatus(untouched.dir))?.status, { timeout: 60_000 }).toBe('finished');
    expect(await runContent(dir)).toEqual(await runContent(untouched.dir));
  });
});
