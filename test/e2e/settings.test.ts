/**
 * Settings: installing an engine (F6) with progress, cancel and go on while the old one stays in use; the trash (F72); the licences; the desktop
 * app's own.
 */
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

  it('time an engine on request, with the shape and the steps, and say why one cannot', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const engines = page.getByRole('region', { name: 'Engines' });
    await engines.getByRole('button', { name: 'Self-test of TensorFlow (CPU)' }).click();
    await engines.getByText('9.4 ms per step').waitFor();
    await engines.getByText('on CPU, median of 30 steps: a ViT 192 wide and 2 deep, 32 px in patches of 8, 8 images a step').waitFor();
    await engines.getByRole('button', { name: 'Self-test of WebAssembly' }).click();
    await engines.getByRole('alert').getByText('this processor has no WebAssembly SIMD').waitFor();
    expect(await asked(page, 'engine:selfTest')).toEqual([{ backend: 'tensorflow' }, { backend: 'wasm' }]);
  });

  it('remove an engine after saying what comes free and what runs use then, and repair a damaged one', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const engines = page.getByRole('region', { name: 'Engines' });
    await engines.getByRole('button', { name: 'Remove TensorFlow (CPU)' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove TensorFlow (CPU)' });
    await dialog.getByText('Frees 1.21 GiB. New runs use WebAssembly until it is installed again').waitFor();
    await dialog.getByRole('button', { name: 'Keep' }).click();
    expect(await asked(page, 'engine:remove')).toEqual([]);
    await engines.getByRole('button', { name: 'Repair TensorFlow (CPU)' }).click();
    await page.getByText('there was nothing to repair').first().waitFor({ timeout: 20_000 });
    await page.evaluate(() => window.scripted.damageEngine());
    await engines.getByText('Not available: a file of it is missing or cut').waitFor();
    await engines.getByText('4.22.0 · CPU, 1 thread · used for new runs').waitFor();
    expect(await engines.getByRole('button', { name: 'Self-test of TensorFlow (CPU)' }).count()).toBe(0);
    await engines.getByRole('button', { name: 'Repair TensorFlow (CPU)' }).click();
    await page.getByText('It was damaged: TensorFlow 2.21.0 is installed. New runs use it.').first().waitFor({ timeout: 20_000 });
    expect(await asked(page, 'engine:repair')).toEqual([{ variant: 'cpu' }, { variant: 'cpu' }]);
  });

  it('offer the installation again once an engine is removed', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const engines = page.getByRole('region', { name: 'Engines' });
    await engines.getByRole('button', { name: 'Remove TensorFlow (CPU)' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove, 1.21 GiB' }).click();
    await page.getByText('Removed the engine, 1.21 GiB.').first().waitFor();
    await engines.getByRole('button', { name: 'Install TensorFlow (CPU)' }).waitFor();
    await engines.getByText('4.22.0 · CPU, 1 thread · used for new runs').waitFor();
    expect(await asked(page, 'engine:remove')).toEqual([{ variant: 'cpu' }]);
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

  it('show what is in the trash and how long it waits, and bring a run back', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const trash = page.getByRole('region', { name: 'Trash' });
    const row = (name: string) => trash.getByRole('row', { name });
    await row('flowers-first-try').getByText('in 27 d').waitFor();
    await row('ablation-without').getByText('in 5 h').waitFor();
    await page.evaluate(() => window.workbench?.request('runs:trash', { runId: 'flowers-a' }));
    await row('flowers-a').getByText('in 30 d').waitFor();
    await trash.getByRole('button', { name: 'Restore flowers-a' }).click();
    await page.getByText('Restored flowers-a.').first().waitFor();
    expect(await row('flowers-a').count()).toBe(0);
    expect(await asked(page, 'trash:restore')).toEqual([{ folder: 'flowers-a' }]);
    // The row and its button are gone; the keyboard is still in the panel.
    await expect.poll(() => page.evaluate(() => document.activeElement?.ariaLabel)).toBe('Restore flowers-first-try');
    await page.goto(`${page.url().split('#')[0]}#/runs`);
    await page.getByRole('row', { name: /flowers-a / }).waitFor();
  });

  it('delete a run for good only after its name was typed, and one that is being written not at all', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const trash = page.getByRole('region', { name: 'Trash' });
    for (const held of await trash.getByRole('button', { name: /tulips-in-the-shell/ }).all()) {
      expect([await held.getAttribute('aria-disabled'), await held.getAttribute('title')]).toEqual([
        'true',
        'it is being written by process 4711 on ada; stop that first',
      ]);
    }
    await trash.getByRole('button', { name: 'Delete for good: flowers-first-try' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete for good' });
    await dialog.getByText('flowers-first-try: 430 MiB of settings, records and checkpoints.').waitFor();
    const remove = dialog.getByRole('button', { name: 'Delete for good' });
    const word = dialog.getByLabel('Type flowers-first-try to confirm');
    for (const typed of ['', 'flowers', 'Flowers-first-try']) {
      await word.fill(typed);
      await page.keyboard.press('Enter');
      expect(await remove.getAttribute('aria-disabled')).toBe('true');
      await remove.click({ force: true });
    }
    expect(await asked(page, 'trash:delete')).toEqual([]);
    await word.fill('flowers-first-try ');
    await remove.click();
    await page.getByText('Deleted flowers-first-try for good, 430 MiB.').first().waitFor();
    expect(await asked(page, 'trash:delete')).toEqual([{ folders: ['flowers-first-try'] }]);
    expect(await trash.getByRole('row', { name: 'flowers-first-try' }).count()).toBe(0);
  });

  it('empty the trash after a word, of what they showed and nobody writes', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const trash = page.getByRole('region', { name: 'Trash' });
    await trash.getByRole('button', { name: 'Empty the trash…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Empty the trash' });
    await page.evaluate(() => window.workbench?.request('runs:trash', { runId: 'flowers-a' }));
    await dialog.getByLabel('Type empty to confirm').fill('empty');
    await page.keyboard.press('Enter');
    await page.getByText('Deleted 2 runs for good, 4.02 GiB.').first().waitFor();
    expect(await asked(page, 'trash:delete')).toEqual([
      { folders: ['flowers-first-try', 'ablation-without-joint-phase-lr0.001-bs128-seed17-final-2'] },
    ]);
    expect(await trash.getByRole('row').count()).toBe(3);
  });

  it('show what is unpacked of shards, remove it on request, and leave what a run reads', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    const panel = page.getByRole('region', { name: 'Unpacked images' });
    await panel.getByText('138 GiB', { exact: true }).first().waitFor();
    const used = panel.getByRole('button', { name: 'Remove what is unpacked from /mnt/data/imagenet-1k-wds' });
    await used.click({ force: true });
    expect(await used.getAttribute('title')).toBe('run flowers-b is training on it; stop that first');
    const source = '/home/ada/datasets/hub/cifar100/plain_text/train';
    await panel.getByRole('button', { name: `Remove what is unpacked from ${source}` }).click();
    await page.getByText('Removed 133 MiB of unpacked images.').first().waitFor();
    await panel.getByRole('button', { name: 'Remove what is unpacked from an unknown folder' }).click();
    await expect.poll(() => panel.getByRole('row').count()).toBe(2);
    expect(await asked(page, 'storage:removeUnpacked')).toEqual([{ sources: [source] }, { sources: [''] }]);
  });

  it('of the desktop app have a switch for each notification and the answer to quitting; both can be changed back', async () => {
    const { page } = await browser.open({ route: '#/settings', scenario: 'desktop' });
    const boxes = page.getByRole('region', { name: 'Notifications' }).getByRole('checkbox');
    await boxes.first().waitFor();
    expect(await boxes.count()).toBe(5);
    const wishes = { proposed: true, switched: true, finished: true, failed: true, disk: true };
    await page.getByLabel('Run finished').uncheck();
    await expect
      .poll(() => asked(page, 'shell:setPreferences'))
      .toEqual([{ preferences: { notify: { ...wishes, finished: false }, quitWithRun: 'keep' } }]);
    await page.getByRole('radio', { name: 'Ask' }).check({ force: true });
    await expect
      .poll(async () => (await asked(page, 'shell:setPreferences')).at(-1))
      .toMatchObject({
        preferences: { notify: { finished: false }, quitWithRun: 'ask' },
      });
    await page.evaluate(() => {
      window.scripted.shell.refuses = true;
    });
    await page.getByLabel('Run finished').click();
    await page.getByText('settings.json: cannot be written').first().waitFor();
    await expect.poll(() => page.getByLabel('Run finished').isChecked()).toBe(false);
  });

  it('of browser mode speak of no notifications', async () => {
    const { page } = await browser.open({ route: '#/settings' });
    await page.getByRole('region', { name: 'Storage' }).waitFor();
    expect(await page.getByText('Notifications').count()).toBe(0);
    expect(await asked(page, 'shell:preferences')).toEqual([]);
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
