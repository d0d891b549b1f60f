/** Settings: installing an engine (F6) with progress, cancel and go on while the old one stays in use; the licences. */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

describe.skipIf(!findChromium())('Settings', () => {
  const browser = scriptedBrowser();

  it('install an engine with progress, let it be cancelled, and begin again', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const install = page.getByRole('button', { name: 'Install for NVIDIA GPU' });
    await install.click();
    await page.getByRole('progressbar', { name: 'Engine installation' }).first().waitFor();
    await page
      .getByText(/downloading, \d+ of 590 MiB/)
      .first()
      .waitFor();
    await page
      .getByText(/used for new runs/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('the next one goes on from there').first().waitFor();
    await install.click();
    await page.getByText('TensorFlow 2.21.0 is installed. New runs use it.').first().waitFor({ timeout: 20_000 });
    expect((await asked(page, 'engine:install')).map((arg) => (arg as { variant: string }).variant)).toEqual(['gpu', 'gpu']);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('list the licence of everything the program is made of, with its text', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    await page.getByRole('button', { name: 'Show all licences' }).click();
    const dialog = page.getByRole('dialog', { name: 'Licences' });
    await dialog.getByText('PreLoRA Workbench').first().waitFor();
    for (const name of ['svelte', 'chart.js', 'zod', '@tensorflow/tfjs-core', 'Electron', 'Fashion-MNIST']) {
      await dialog.getByLabel('Filter').fill(name);
      await dialog.getByText(name).first().waitFor();
    }
    await dialog.getByLabel('Filter').fill('zod');
    await dialog.locator('summary', { hasText: 'zod' }).click();
    await dialog.getByText('Permission is hereby granted').last().waitFor();
  });
});
