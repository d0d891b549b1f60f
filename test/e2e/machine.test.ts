/** What the machine does to a run, on its screen: battery, sleep, a disk that fills up, a GPU whose driver tells. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

const LIVE = '#/run/flowers-b/live';

describe.skipIf(!findChromium())('a run on a machine', () => {
  const browser = scriptedBrowser();
  const status = (page: Page) => page.getByRole('contentinfo', { name: 'Status' });

  it('that loses its mains is warned of once per stay on battery; the status bar says it all the while', async () => {
    const { page } = await browser.open({ route: LIVE, scenario: 'desktop' });
    const warning = page.getByText('This machine trains on battery.');
    const unplug = (onBattery: boolean): Promise<void> => page.evaluate((on) => window.scripted.unplug(on), onBattery);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    expect([await warning.count(), await status(page).getByText('on battery').count()]).toEqual([0, 0]);
    await unplug(true);
    await warning.waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await unplug(true);
    await status(page).getByText('on battery').waitFor();
    expect(await warning.count()).toBe(0);
    await unplug(false);
    await expect.poll(() => status(page).getByText('on battery').count()).toBe(0);
    await unplug(true);
    await warning.waitFor();
    await page.evaluate(() => window.scripted.bridge.request('run:pause', { runId: 'flowers-b' }));
    await expect.poll(() => warning.count()).toBe(0);
  });

  it('in the desktop app asks what it runs on when the page comes', async () => {
    const { page } = await browser.open({ route: LIVE, scenario: 'desktop' });
    await expect.poll(async () => (await asked(page, 'shell:power')).length).toBe(1);
  });

  it('in browser mode asks nobody about its power', async () => {
    const { page } = await browser.open({ route: LIVE });
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    expect(await asked(page, 'shell:power')).toEqual([]);
  });

  it('that slept has it in the journal and flagged', async () => {
    const { page } = await browser.open({ route: LIVE });
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    await page.evaluate(() => window.scripted.sleep('flowers-b', 2580));
    await page
      .getByText(/The machine slept 43.min/)
      .first()
      .waitFor();
    await page
      .locator('.flags')
      .getByRole('button', { name: /The machine slept 43.min/ })
      .waitFor();
  });

  it('whose disk fills up is warned of, and says why it paused when a checkpoint did not fit', async () => {
    const { page } = await browser.open({ route: LIVE });
    await status(page)
      .getByText(/^disk 81.00.GiB free$/)
      .waitFor();
    await page.evaluate(() => window.scripted.fillDisk('flowers-b'));
    await page.getByText(/The disk fills up: 52.MiB free\./).waitFor();
    await status(page)
      .getByText(/^disk 52.MiB free, low$/)
      .waitFor();
    await page.evaluate(() => window.scripted.fillDisk('flowers-b', { isFull: true }));
    const banner = page.getByRole('alert').filter({ hasText: 'checkpoint step-3100 needs 36.0 MiB, 12.0 MiB are free' });
    await banner.waitFor();
    expect(await page.getByText(/The disk fills up: .* free\./).count()).toBe(0);
    await banner.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(() => asked(page, 'run:resume')).toEqual([{ runId: 'flowers-b' }]);
  });

  it('with a GPU tells of it in status bar, chart and table, and one without says nothing of it', async () => {
    const { page } = await browser.open({ route: LIVE, scenario: 'gpu' });
    await status(page)
      .getByText(/^GPU 8\d.% · 6\.44 of 12\.00.GiB$/)
      .waitFor();
    await page.getByRole('button', { name: 'All charts as tables' }).click();
    await page.getByRole('columnheader', { name: 'GPU memory' }).first().waitFor();
    await browser.go(page, { route: LIVE, scenario: 'full' });
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    expect(await status(page).getByText('GPU 8').count()).toBe(0);
    await page.getByRole('button', { name: 'All charts as tables' }).click();
    await page.getByRole('columnheader', { name: 'memory' }).first().waitFor();
    expect(await page.getByRole('columnheader', { name: 'GPU memory' }).count()).toBe(0);
  });
});
