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

  it('show what would be removed with its bytes, and remove exactly what is chosen', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    await page.getByRole('button', { name: 'Clean up checkpoints…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Clean up checkpoints' });
    await dialog.getByText('1,200, 2,400 (abandoned)').first().waitFor();
    await dialog.getByText(/flowers-b: a trainer has it open/).waitFor();
    expect(await asked(page, 'storage:clean')).toEqual([]);
    const boxes = dialog.getByRole('checkbox');
    for (let i = 1; i < (await boxes.count()); i++) await boxes.nth(i).uncheck();
    await dialog.getByRole('button', { name: 'Remove 2 checkpoints, 156 MiB' }).click();
    await page.getByText('Removed 156 MiB of checkpoints.').first().waitFor();
    const [sent] = (await asked(page, 'storage:clean')) as { runs: { runId: string; steps: number[] }[] }[];
    expect(sent?.runs).toMatchObject([{ steps: [1200, 2400] }]);
    await page.getByRole('button', { name: 'Clean up checkpoints…' }).click();
    await dialog.getByText('1,200, 2,400').first().waitFor();
    expect(await boxes.count()).toBeGreaterThan(0);
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
