/** How the page bears size: ten thousand runs, deep and long models, a thousand classes, half an hour of frames. Times are the best of a few. */
import type { CDPSession, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { scriptedBrowser } from './support/scriptedBrowser.ts';

const TRIES = 5;

/** Milliseconds until a changed field has been drawn; the best of a few tries, because other programs share the machine. */
function redrawMs(page: Page, selector: string, values: readonly string[]): Promise<number> {
  return page.evaluate(
    async ([found, texts, tries]) => {
      const field = document.querySelector<HTMLInputElement | HTMLSelectElement>(found);
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < tries && field; round++) {
        const started = performance.now();
        field.value = texts[round % texts.length] ?? '';
        field.dispatchEvent(new Event(field instanceof HTMLSelectElement ? 'change' : 'input', { bubbles: true }));
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        best = Math.min(best, performance.now() - started);
      }
      return best;
    },
    [selector, values, TRIES] as const,
  );
}

describe.skipIf(!findChromium())('the page', () => {
  const browser = scriptedBrowser();

  it('lists 10,000 runs, keeps few rows in the document, and finds one by its name', async () => {
    const { page } = await browser.open({ scenario: 'many' });
    await page.getByText('10,006 of 10,006 runs').waitFor();
    expect(await page.locator('[data-row]').count()).toBeLessThan(80);
    await page.getByRole('searchbox', { name: 'Filter' }).fill('copy 9999');
    await page.getByText('1 of 10,006 runs').waitFor();
  });

  it('draws the heatmap of 24 layers × 6 families × 500 snapshots anew within 50 ms', async () => {
    const { page } = await browser.open({ route: '#/run/long/live', scenario: 'long' });
    await page.getByRole('application', { name: 'Layer by time: change' }).waitFor();
    expect(await redrawMs(page, 'select[aria-label="Families"]', ['all', 'max'])).toBeLessThan(50);
  });

  it('moves the crosshair over all charts without drawing a curve or a cell anew', async () => {
    const { page } = await browser.open({ route: '#/run/long/live', scenario: 'long' });
    const loss = page.getByRole('application', { name: 'Loss, top-1' });
    await loss.hover();
    await page.waitForTimeout(300);
    await page.evaluate(() => {
      const drawn = { below: 0, marks: 0 };
      const stroke = CanvasRenderingContext2D.prototype.stroke;
      CanvasRenderingContext2D.prototype.stroke = function (this: CanvasRenderingContext2D, ...path: unknown[]) {
        drawn[this.canvas.previousElementSibling ? 'marks' : 'below']++;
        Reflect.apply(stroke, this, path);
      };
      Object.assign(window, { drawn });
    });
    await loss.hover({ position: { x: 200, y: 60 } });
    await page.waitForTimeout(300);
    const drawn = await page.evaluate(() => (window as unknown as { drawn: { below: number; marks: number } }).drawn);
    // A crosshair on each of the four charts and the heatmap.
    expect(drawn).toEqual({ below: 0, marks: 5 });
  });

  it('keeps of 144 modules those in sight in the document, down to the last', async () => {
    const { page } = await browser.open({ route: '#/run/long/layers', scenario: 'long' });
    const list = page.getByRole('region', { name: 'Modules' }).last();
    await list.getByRole('button', { name: 'blocks.0.attn.q', exact: true }).waitFor();
    expect(await list.getByRole('row').count()).toBeLessThan(60);
    await list.evaluate((region) => region.scrollTo(0, region.scrollHeight));
    await list.getByRole('button', { name: 'blocks.23.mlp.fc2', exact: true }).waitFor();
    expect(await list.getByRole('button', { name: 'blocks.0.attn.q', exact: true }).count()).toBe(0);
  });

  it('keeps the family names in place while 48 layers are scrolled', async () => {
    const { page } = await browser.open({ route: '#/run/deep/layers', scenario: 'deep', width: 1100 });
    const head = page.getByRole('rowheader', { name: 'proj', exact: true });
    const before = await head.boundingBox();
    await page.locator('[data-cell="3-47"]').focus();
    await page.waitForTimeout(100);
    expect((await head.boundingBox())?.x).toBe(before?.x);
    expect(await page.locator('[data-cell]').count()).toBe(6 * 48);
  });

  it('shows of 1,000 classes the most frequent confusions first', async () => {
    const { page } = await browser.open({ route: '#/run/deep/evaluate', scenario: 'deep' });
    await page.getByRole('button', { name: 'Evaluate on' }).click();
    const counts = await page.getByRole('region', { name: 'Confusion' }).locator('li .number').allTextContents();
    expect(counts.length).toBe(30);
    expect(counts.map(Number)).toEqual(counts.map(Number).sort((a, b) => b - a));
  });

  it('takes half an hour of frames without growing by more than the records themselves', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByText('step 3,100 of').waitFor();
    const client = await page.context().newCDPSession(page);
    await feed(page, 0, 2500);
    const before = await heapBytes(page, client);
    await feed(page, 2500, 20_000);
    await page.waitForTimeout(500);
    expect((await heapBytes(page, client)) - before).toBeLessThan(8e6);
  });
});

/** One line of metrics per frame, as a running trainer sends it. */
function feed(page: Page, from: number, count: number): Promise<void> {
  return page.evaluate(
    async ([first, frames]) => {
      const { scripted } = window;
      const { metrics, summary } = await scripted.handlers['run:state']({ runId: 'flowers-b' });
      const line = metrics.at(-1);
      for (let i = first; i < first + frames && line; i++) {
        const step = line.step + i + 1;
        const empty = { live: true, epochs: [], snapshots: [], events: [], activity: 'training', etaSeconds: 100 };
        scripted.emit('run:frame', {
          ...empty,
          runId: 'flowers-b',
          sequence: i + 1,
          metrics: [{ ...line, step }],
          status: { ...summary.status, step },
        });
        if (i % 200 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
    },
    [from, count] as const,
  );
}

/** What is in use after the garbage is collected; the test's own list of requests does not count. */
async function heapBytes(page: Page, client: CDPSession): Promise<number> {
  await page.evaluate(() => {
    window.scripted.asked.length = 0;
  });
  await client.send('HeapProfiler.collectGarbage');
  return (await client.send('Runtime.getHeapUsage')).usedSize;
}
