/** Looking into checkpoints: distributions of a module (F42), and two models tensor by tensor (F62). */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

describe.skipIf(!findChromium())('the weights of checkpoints', () => {
  const browser = scriptedBrowser();

  it('show how a module is spread, beside another step and another run', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/layers' });
    await page.getByRole('button', { name: 'Distribution…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Distribution of blocks.0.attn.q' });
    await dialog.getByRole('row', { name: /^step / }).waitFor();
    const beside = dialog.getByLabel('beside');
    const [step] = await beside
      .locator('option[value^="step:"]')
      .evaluateAll((options) => options.map((one) => (one as HTMLOptionElement).value));
    await beside.selectOption(step as string);
    await expect.poll(() => dialog.getByRole('row', { name: /^step / }).count()).toBe(2);
    await beside.selectOption('run:flowers-full');
    await dialog.getByRole('row', { name: /^flowers-full, step / }).waitFor();
    await dialog.getByText('Gradient', { exact: true }).click();
    await dialog.getByText('Adam’s running mean of the gradients').waitFor();
    await dialog.getByRole('button', { name: 'Gradient: table' }).click();
    expect(await dialog.getByRole('region', { name: 'Gradient, table' }).locator('tbody tr').count()).toBeGreaterThan(10);
    const sent = await asked(page, 'weights:distribution');
    expect(sent).toEqual([
      { module: 'blocks.0.attn.q', of: [{ runId: 'flowers-a', step: null }] },
      {
        module: 'blocks.0.attn.q',
        of: [
          { runId: 'flowers-a', step: null },
          { runId: 'flowers-a', step: Number(step?.slice(5)) },
        ],
      },
      {
        module: 'blocks.0.attn.q',
        of: [
          { runId: 'flowers-a', step: null },
          { runId: 'flowers-full', step: null },
        ],
      },
    ]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  });

  it('say what is added and how far the rest lies apart, of two runs and of two moments of one', async () => {
    const { page } = await browser.open({ route: '#/compare/flowers-a,flowers-full' });
    await page.getByRole('button', { name: 'Compare tensors' }).click();
    await page.getByText('24 tensors differ, 12 are equal bit by bit; only in the second: 2').waitFor();
    const table = page.getByRole('region', { name: 'Tensors that differ' });
    await table.getByText('only in the second, [192, 8]').waitFor();
    await table.getByText('42.0 %').waitFor();
    const own = await page
      .getByLabel('First model')
      .locator('option', { hasText: 'flowers-a,' })
      .evaluateAll((options) => options.map((one) => (one as HTMLOptionElement).value));
    await page.getByLabel('Second model').selectOption(own[0] as string);
    await page.getByRole('button', { name: 'Compare tensors' }).click();
    await expect.poll(async () => (await asked(page, 'weights:difference')).length).toBe(2);
    expect((await asked(page, 'weights:difference'))[1]).toMatchObject({ from: { runId: 'flowers-a' }, to: { runId: 'flowers-a' } });
  });
});
