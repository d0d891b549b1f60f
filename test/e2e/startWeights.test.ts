/** New run from start weights (F22): the sizes are taken from the headers in one undoable step; a wrong path is said in one sentence. */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

describe.skipIf(!findChromium())('start weights', () => {
  const browser = scriptedBrowser();

  it('give the model its sizes, and start with it', async () => {
    const { page } = await browser.open({ route: '#/new' });
    await page.getByRole('button', { name: /2 Model/ }).click();
    const take = page.getByRole('button', { name: 'Take the sizes from the start weights' });
    expect(await take.getAttribute('aria-disabled')).toBe('true');
    await page.getByLabel('Start weights', { exact: true }).fill('/models/none');
    await page.keyboard.press('Tab');
    await take.click();
    await page.getByText('start weights /models/none: no such file or folder').waitFor();
    await page.getByLabel('Start weights', { exact: true }).fill('/models/vit-tiny');
    await page.keyboard.press('Tab');
    await take.click();
    await page.getByText('Weights of Hugging Face: 12 blocks of width 192').waitFor();
    expect(await page.getByText('no such file or folder').count()).toBe(0);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.waitForURL(/#\/run\//);
    const [started] = (await asked(page, 'run:start')) as { config: { model: object } }[];
    expect(started?.config.model).toMatchObject({
      startFrom: '/models/vit-tiny',
      size: 'custom',
      embedDim: 192,
      numHeads: 3,
      layerNormEps: 1e-12,
      numClasses: null,
    });
  });
});
