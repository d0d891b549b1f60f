/** The report of a fault on the page: reached from settings, errors and crashes, read, copied, saved; nothing leaves by itself. */
import { readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

describe.skipIf(!findChromium())('diagnostics', () => {
  const browser = scriptedBrowser();

  it('are previewed from Settings, part by part, for the program or a run, and saved as the zip that was previewed', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    await page.getByRole('button', { name: 'Preview the report' }).click();
    const dialog = page.getByRole('dialog', { name: 'Diagnostics' });
    await dialog.getByRole('region', { name: 'about.json' }).getByText('<data>').waitFor();
    await dialog.getByRole('button', { name: 'log.txt' }).click();
    await dialog.getByText('no snapshots in <path 1.jsonl>').waitFor();
    expect(await dialog.getByRole('button', { name: 'run/config.json' }).count()).toBe(0);
    await dialog.getByLabel('Run').selectOption({ label: 'flowers-b' });
    await dialog.getByRole('button', { name: 'run/config.json' }).click();
    await dialog.getByText('<name>').waitFor();
    const downloading = page.waitForEvent('download');
    await dialog.getByRole('button', { name: 'Save zip' }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('prelora-diagnostics-20261123-0822.zip');
    expect(readFileSync(await download.path(), 'utf8')).toBe('PK');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await asked(page, 'app:diagnose')).toMatchObject([{ runId: null }, { runId: 'flowers-b' }]);
  });

  it('are one click from a crashed run, and about that run', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.evaluate(() => window.scripted.crash('flowers-b'));
    await page.getByRole('button', { name: 'Diagnostics' }).first().click();
    await page.getByRole('dialog', { name: 'Diagnostics' }).getByRole('button', { name: 'run/config.json' }).waitFor();
    expect(await asked(page, 'app:diagnose')).toMatchObject([{ runId: 'flowers-b' }]);
  });

  it.each(['light', 'dark', 'contrast'] as const)('have no accessibility violation (%s)', async (theme) => {
    const { page } = await browser.open({ route: '#/settings', theme });
    await page.getByRole('button', { name: 'Preview the report' }).click();
    await page.getByRole('region', { name: 'about.json' }).waitFor();
    const { violations } = await new AxeBuilder({ page }).include('[role="dialog"]').analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  });
});
