/** Everything by keyboard: whole jobs without a pointer, where the focus goes and comes back, and what is said aloud. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

/** Presses Tab until the focused element fits. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
  }
  throw new Error(`Tab never reached ${selector}`);
}

interface FocusStop {
  name: string;
  region: string;
  /** Something of it lies on top, inside the window (WCAG 2.4.11). */
  isSeen: boolean;
}

/** Where Tab stops, from the top of the page until it leaves it. */
async function focusStops(page: Page): Promise<FocusStop[]> {
  const stops: FocusStop[] = [];
  for (let i = 0; i < 300; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      if (!element || element === document.body) return null;
      const box = element.getBoundingClientRect();
      const points = [0.1, 0.5, 0.9].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [box.x + x * box.width, box.y + y * box.height] as const));
      const label = element.closest('label') ?? element;
      return {
        name: `${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent?.trim().slice(0, 40)}`,
        region: element.closest<HTMLElement>('[data-region]')?.dataset.region ?? '',
        isSeen: points.some(([x, y]) => label.contains(document.elementFromPoint(x, y))),
      };
    });
    if (stop === null || (stops.length > 0 && stop.name === stops[0]?.name && stop.region === stops[0]?.region)) return stops;
    stops.push(stop);
  }
  throw new Error('Tab never left the page');
}

const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? '');

const announced = (page: Page): Promise<string> =>
  page.evaluate(() => document.querySelector('[aria-live="polite"].sr-only')?.textContent ?? '');

describe.skipIf(!findChromium())('by keyboard alone', () => {
  const browser = scriptedBrowser();

  it('an overnight run is set up, started, left to switch by itself, and read in the morning', async () => {
    const { page } = await browser.open();
    await page.keyboard.press('Control+n');
    await page.getByRole('heading', { name: 'New run' }).waitFor();
    await tabTo(page, '[aria-label="Find a field"]');
    await page.keyboard.type('epochs');
    await tabTo(page, '[data-field="train.epochs"] input');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('40');
    await page.keyboard.press('Tab');
    await page.waitForFunction(() => !document.querySelector('.problems'));
    await page.keyboard.press('Control+Enter');
    await page.waitForURL(/#\/run\/scripted-1\/live/);
    expect(await asked(page, 'run:start')).toMatchObject([{ config: { train: { epochs: 40 } } }]);
    await page.evaluate(() => window.scripted.tick('scripted-1', 20_000));
    await page.getByText('Finished').first().waitFor();
    // One screen answers: what happened and when, the best and its step, what it cost.
    const journal = page.getByRole('list', { name: 'Events, newest first' });
    await journal.getByText('Finished').waitFor();
    await page
      .getByText(/best \d/)
      .first()
      .waitFor({ state: 'attached' });
  });

  it('shows the values under the crosshair, not only to those who hear them', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const chart = page.getByRole('application', { name: 'Loss, top-1' });
    await chart.focus();
    expect(await page.locator('.readout').count()).toBe(0);
    await page.keyboard.press('ArrowLeft');
    await page.locator('.readout').getByText('val loss').waitFor();
    await page.keyboard.press('Tab');
    await page.locator('.readout').waitFor({ state: 'detached' });
  });

  it('the reason of a rank is three actions from the run', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/live' });
    await page.getByRole('heading', { name: 'flowers-a' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('3 q');
    await page.getByRole('option', { name: /blocks\.3\.attn\.q/ }).waitFor(); // the run is read piece by piece
    await page.keyboard.press('Enter');
    await page.waitForURL(/layers/);
    await page.getByRole('heading', { name: /blocks\.3\.attn\.q/ }).waitFor();
    await page.getByText(/blocks\.3\.attn\.q; norm/).waitFor();
  });

  it('the map is walked with arrows, and list and charts follow', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/layers' });
    await tabTo(page, '[data-cell="0-0"]');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('heading', { name: /blocks\.1\.attn\.k/ }).waitFor();
    expect(await page.locator('tr.on').textContent()).toContain('blocks.1.attn.k');
    const before = await page.getByRole('slider', { name: 'Snapshot' }).getAttribute('aria-valuetext');
    await page.keyboard.press('[');
    expect(await page.getByRole('slider', { name: 'Snapshot' }).getAttribute('aria-valuetext')).not.toBe(before);
  });

  it('a typed threshold is offered as an edit by the palette', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByRole('heading', { name: 'flowers-b' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('tau 0.7');
    await page.getByRole('option', { name: 'Edit τ to 0.70 % on flowers-b', disabled: false }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('τ 0.80 % → 0.70 %').first().waitFor();
    expect(await asked(page, 'run:edit')).toMatchObject([{ changes: { 'prelora.tau': 0.7 } }]);
    // Ctrl+Z is the inverse edit, which is journaled as well; it is offered once the engine has answered.
    await page.getByRole('button', { name: 'Undo', exact: true }).waitFor();
    await page.keyboard.press('Control+z');
    await page.getByText('τ 0.70 % → 0.80 %').first().waitFor();
  });

  it('a dialog, a menu and the palette give the focus back, and Esc closes the topmost', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const edit = page.getByRole('button', { name: 'Edit…' });
    await edit.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await page.evaluate(() => document.activeElement?.closest('[role="dialog"]') !== null)).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Edit…');
    const stop = page.getByRole('button', { name: 'Stop', exact: true });
    await stop.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Stop');
    await page.keyboard.press('Control+k');
    const action = page.getByRole('combobox', { name: 'Action' });
    await action.waitFor();
    await page.keyboard.press('Escape');
    await action.waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Stop');
  });

  it('F6 goes round the regions and back', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByRole('heading', { name: 'flowers-b' }).waitFor();
    const region = (): Promise<string> =>
      page.evaluate(() => document.activeElement?.closest<HTMLElement>('[data-region]')?.dataset.region ?? '');
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('F6');
      seen.push(await region());
    }
    expect(new Set(seen).size).toBeGreaterThanOrEqual(3);
    await page.keyboard.press('Shift+F6');
    expect(await region()).toBe(seen.at(-2));
  });

  it.each([
    '#/runs',
    '#/run/flowers-b/live',
    '#/run/flowers-b/switch',
    '#/run/flowers-a/layers',
    '#/run/flowers-b/what-if',
    '#/run/flowers-b/evaluate',
    '#/run/flowers-b/export',
    '#/run/flowers-b/config',
    '#/new',
    '#/compare/flowers-a,flowers-full',
    '#/queue',
    '#/settings',
  ])('Tab goes through %s region by region, each once, and what has the focus is seen', async (route) => {
    const { page } = await browser.open({ route });
    await page.waitForTimeout(500);
    const stops = await focusStops(page);
    const regions = stops.map(({ region }) => region).filter((region, i, all) => region !== all[i - 1]);
    expect(regions, 'regions in the order of their stops').toEqual([...new Set(regions)]);
    expect(regions[0]).toBe('sidebar');
    expect(stops.filter(({ isSeen }) => !isSeen).map(({ name }) => name)).toEqual([]);
  });

  it('phase changes, proposals and failures are said; steps are not', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    await page.getByRole('heading', { name: 'flowers-b' }).waitFor();
    await page.evaluate(() => window.scripted.tick('flowers-b', 10));
    expect(await announced(page)).toBe('');
    await page.evaluate(() => window.scripted.tick('flowers-b', 1200));
    await expect.poll(() => announced(page)).toMatch(/^flowers-b: phase Joint warm-up from step \d+$/);
    const said = await announced(page);
    await page.evaluate(() => window.scripted.tick('flowers-b', 10));
    expect(await announced(page)).toBe(said);
    await page.evaluate(() => window.scripted.propose('flowers-b'));
    await page.waitForFunction(() => document.querySelector('[aria-live="polite"]')?.textContent?.includes('Switch proposed'));
    await page.evaluate(() => window.scripted.crash('flowers-b'));
    await page.getByRole('alert').getByText('The trainer ended unexpectedly').waitFor();
  });

  it('the crosshair of a chart speaks its values, and M finds the events in the journal', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const chart = page.getByRole('application', { name: 'Loss, top-1' });
    await chart.focus();
    await page.keyboard.press('ArrowLeft');
    await page.getByText(/^step 3,0\d\d: train loss 0\.\d+/).waitFor({ state: 'attached' });
    await page.keyboard.press('Home');
    await page.keyboard.press('m');
    await page.locator('li.on', { hasText: 'τ 1.20 % → 0.80 %' }).waitFor();
  });

  it('a shortcut is changed, works, and is remembered', async () => {
    const { page } = await browser.open();
    await page.keyboard.press('Control+?');
    await page.getByRole('button', { name: 'Go to Settings: change' }).press('Enter');
    await page.keyboard.press('Control+k');
    await page.getByText('is taken by').waitFor();
    await page.keyboard.press('Control+j');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.reload();
    await page.waitForSelector('.sidebar');
    await page.keyboard.press('Control+j');
    await page.waitForURL(/settings/);
  });
});
