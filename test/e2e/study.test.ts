/** The queue and a study on the real host: queued runs survive a restart and a failure, and variants × seeds are compared as groups, mean ± spread. */
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import type { RunState } from '../../main/protocol/results.ts';
import { formatAccuracy, formatSpread, setLocale } from '../../renderer/format.ts';
import { spaced } from '../renderer/spaced.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { realBrowser } from './support/realBrowser.ts';

const SAMPLE = path.resolve(import.meta.dirname, '../../resources/sample-fashion-mnist');

/** The form with the smoke preset: 48 steps, the switch at step 16. */
async function smokeForm(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'New run' }).click();
  await page.getByRole('combobox', { name: 'Preset' }).selectOption('smoke');
}

/** Of the sample, or of the pictures in a folder. */
async function queueSmoke(page: Page, name: string, source: string | null = null): Promise<void> {
  await smokeForm(page);
  if (source !== null) await page.locator('[data-field="data.source"] input').fill(source);
  await page.getByRole('navigation', { name: 'Parts of the form' }).getByRole('button', { name: 'Run' }).click();
  await page.locator('[data-field="name"] input').fill(name);
  await page.locator('[data-field="name"] input').press('Tab');
  await page.getByRole('button', { name: 'Add to the queue' }).click();
  await page.getByRole('region', { name: 'Queued runs' }).getByRole('row', { name }).waitFor();
}

// The browser's locale.
setLocale('en-US');

/** Mean and sample standard deviation of each run's best evaluation, as the table is to say them. */
function bestOf(states: readonly RunState[]): string {
  const best = states.map(({ epochs }) => Math.max(...epochs.map(({ valTop1 }) => valTop1 ?? 0)));
  const mean = best.reduce((sum, value) => sum + value, 0) / best.length;
  const std = Math.sqrt(best.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (best.length - 1));
  return formatSpread({ mean, std, n: best.length }, formatAccuracy);
}

describe.skipIf(!findChromium())('the queue', () => {
  const browser = realBrowser();

  it('keeps what waits over a restart of the host, and goes on with it', async () => {
    const page = await browser.open();
    await queueSmoke(page, 'first');
    await page.getByRole('button', { name: 'Pause the queue' }).click();
    await queueSmoke(page, 'second');
    await browser.restart();

    const after = await browser.open();
    await after
      .getByRole('link', { name: /^Queue/ })
      .first()
      .click();
    const row = after.getByRole('region', { name: 'Queued runs' }).getByRole('row', { name: 'second' });
    await row.getByText('waiting', { exact: true }).waitFor();
    await after.getByText(/the queue is paused/).waitFor();
    await after.getByRole('button', { name: 'Go on with the queue' }).click();
    await after.getByText('Nothing is queued').waitFor({ timeout: 60_000 });
    const runs = await browser.engine.request('runs:list', {});
    expect(runs.map(({ status }) => `${status.name} ${status.status} ${status.step}`).sort()).toEqual([
      'first finished 48',
      'second finished 48',
    ]);
  });

  it('goes on with the third after the second failed, which stays in it with its reason and can be tried again', async () => {
    const pictures = path.join(temporaryFolder(), 'pictures');
    cpSync(SAMPLE, pictures, { recursive: true });
    const page = await browser.open();
    await queueSmoke(page, 'one of three');
    await page.getByRole('button', { name: 'Pause the queue' }).click();
    await queueSmoke(page, 'two of three', pictures);
    await queueSmoke(page, 'three of three');
    rmSync(pictures, { recursive: true });
    await page.getByRole('button', { name: 'Go on with the queue' }).click();

    const rows = page.getByRole('region', { name: 'Queued runs' }).locator('tbody tr');
    await expect.poll(() => rows.count(), { timeout: 90_000 }).toBe(1);
    await rows.getByText('failed', { exact: true }).waitFor();
    await rows.getByText(/pictures/).waitFor();
    const ended = async () =>
      (await browser.engine.request('runs:list', {}))
        .filter(({ status }) => status.name.endsWith('of three'))
        .map(({ status }) => `${status.name}: ${status.status} at ${status.step}`)
        .sort();
    expect(await ended()).toEqual(['one of three: finished at 48', 'three of three: finished at 48']);

    cpSync(SAMPLE, pictures, { recursive: true });
    await rows.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Nothing is queued').waitFor({ timeout: 60_000 });
    expect(await ended()).toContain('two of three: finished at 48');
  });

  it('trains a study of two variants × two seeds, and Compare groups them with mean ± spread', async () => {
    const page = await browser.open();
    await smokeForm(page);
    await page.getByRole('button', { name: 'Vary…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Vary this recipe' });
    await dialog.getByRole('textbox', { name: 'Study' }).fill('pair');
    await dialog.getByRole('textbox', { name: 'Random seeds' }).fill('0, 1');
    await dialog.getByText(/^4 runs/).waitFor();
    await dialog.getByRole('button', { name: 'Queue 4 runs' }).click();
    await page.getByText('pair · prelora · seed 0').waitFor();
    await page.getByText('Nothing is queued').waitFor({ timeout: 90_000 });

    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByRole('combobox', { name: 'Study' }).selectOption('pair');
    const studied = (await browser.engine.request('runs:list', {})).filter(({ study }) => study?.study === 'pair');
    for (const { status } of studied) await page.getByRole('checkbox', { name: `Select ${status.name}` }).check();
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.getByRole('checkbox', { name: 'group all but random seed' }).check();

    const table = page.getByRole('region', { name: 'Settings and results' });
    const groups = (await table.locator('thead th').allInnerTexts()).slice(1);
    expect(groups.toSorted()).toEqual(['full', 'prelora']);
    const states = await Promise.all(studied.map(({ runId }) => browser.engine.request('run:state', { runId })));
    const wanted = groups.map((variant) => bestOf(states.filter(({ summary }) => summary.study?.variant === variant)));
    const cells = async (title: string): Promise<string[]> => {
      const texts = await table.getByRole('row', { name: title }).first().getByRole('cell').allInnerTexts();
      return texts.map((text) => text.split('\n')[0] as string);
    };
    await expect.poll(() => cells('best val top-1')).toEqual(wanted);
    expect((await cells('switch step')).map(spaced)).toEqual(groups.map((variant) => (variant === 'full' ? '–' : '16 ± 0 (n = 2)')));
  });
});
