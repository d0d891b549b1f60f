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

  it.each(['layers', 'switch'])('keeps the family names in place while 48 layers are scrolled, on %s', async (tab) => {
    const { page } = await browser.open({ route: `#/run/deep/${tab}`, scenario: 'deep', width: 1100 });
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

  it('takes half an hour of frames and grows by the records alone: no element, no listener, no memory besides', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByText('step 3,100 of').waitFor();
    const client = await page.context().newCDPSession(page);
    // Columns double their room as they grow; the warm-up ends just after such a growth.
    const warmUp = 2500;
    await feed(page, 0, warmUp);
    const before = await kept(page, client);
    await feed(page, warmUp, HALF_AN_HOUR);
    const after = await kept(page, client);
    const megabytes = (after.bytes - before.bytes) / 1e6;
    console.log(
      `${HALF_AN_HOUR} frames: the heap grew by ${megabytes.toFixed(1)} MB, ${after.nodes - before.nodes} nodes, ${after.listeners - before.listeners} listeners`,
    );
    expect(megabytes).toBeLessThan(8);
    // A note every 500 steps is a flag of its own on the timeline, three nodes each.
    expect(after.nodes - before.nodes).toBeLessThan(200);
    expect(after.listeners - before.listeners).toBeLessThan(50);
  });
});

/** A frame every 80 ms, as the host sends them at most. */
const HALF_AN_HOUR = (30 * 60 * 1000) / 80;

/**
 * Frames as a running trainer sends them: a line of metrics each, every 50th a snapshot, every 500th an epoch and a note. The first 400 bring a
 * note each: the journal shows 300 entries at most, and is full after them.
 */
function feed(page: Page, from: number, count: number): Promise<void> {
  return page.evaluate(
    async ([first, frames]) => {
      const { scripted } = window;
      const { metrics, epochs, summary } = await scripted.handlers['run:state']({ runId: 'flowers-b' });
      const [line, epoch] = [metrics.at(-1), epochs.at(-1)];
      if (!line || !epoch) throw new Error('the run has no records yet');
      const modules = Object.fromEntries(
        Array.from({ length: 12 }, (_, layer) =>
          ['attn.q', 'attn.k', 'attn.v', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].map((part) => `blocks.${layer}.${part}`),
        )
          .flat()
          .map((module, i) => [module, { weightNorm: 30 + i, gradNorm: 0.1, displacement: 0.2 }]),
      );
      for (let i = first; i < first + frames; i++) {
        const step = line.step + i + 1;
        const head = { step, epoch: line.epoch, phase: line.phase, segment: 0 };
        const note = { kind: 'note', step, segment: 0, time: new Date(Date.UTC(2026, 10, 23) + i).toISOString(), by: 'user' as const };
        scripted.emit('run:frame', {
          live: true,
          activity: 'training',
          etaSeconds: 100,
          runId: 'flowers-b',
          sequence: i + 1,
          metrics: [{ ...line, step }],
          snapshots: i % 50 === 0 ? [{ ...head, loss: line.loss ?? 0, modules }] : [],
          epochs: i % 500 === 0 ? [{ ...epoch, epoch: epoch.epoch + 1 + i / 500, step }] : [],
          events: i < 400 || i % 500 === 0 ? [{ ...note, detail: { text: `frame ${i}` } }] : [],
          status: { ...summary.status, step },
        });
        // Often enough to be drawn in between.
        if (i % 20 === 0) await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      }
    },
    [from, count] as const,
  );
}

/**
 * What is in use after the garbage is collected, the least of a few looks: what an answer on its way takes passes. The test's own list of
 * requests does not count.
 */
async function kept(page: Page, client: CDPSession): Promise<{ bytes: number; nodes: number; listeners: number }> {
  let bytes = Number.POSITIVE_INFINITY;
  for (let look = 0; look < TRIES; look++) {
    await page.waitForTimeout(500);
    await page.evaluate(() => {
      window.scripted.asked.length = 0;
    });
    await client.send('HeapProfiler.collectGarbage');
    bytes = Math.min(bytes, (await client.send('Runtime.getHeapUsage')).usedSize);
  }
  const { nodes, jsEventListeners } = await client.send('Memory.getDOMCounters');
  return { bytes, nodes, listeners: jsEventListeners };
}
