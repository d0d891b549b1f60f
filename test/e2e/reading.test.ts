/** Large text, narrow windows, forced colours, reduced motion, odd names and odd figures: nothing breaks, nothing is lost. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { scriptedBrowser } from './support/scriptedBrowser.ts';

const SCREENS = [
  '#/runs',
  '#/run/flowers-b/live',
  '#/run/flowers-b/switch',
  '#/run/flowers-a/layers',
  '#/run/flowers-b/what-if',
  '#/what-if/%2Fruns%2Fflowers%2Fsnapshots.jsonl',
  '#/run/flowers-b/evaluate',
  '#/run/flowers-a/export',
  '#/run/flowers-b/config',
  '#/new',
  '#/compare/flowers-a,flowers-full',
  '#/queue',
  '#/settings',
];

/** Elements that stick out of the window to the right; plots and tables may be wide, and what is cut off with an ellipsis is inside. */
function stickingOut(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const free = 'table, [role="grid"], [role="application"], [role="region"], .sr-only, canvas';
    const isCut = (element: Element | null): boolean =>
      element !== null &&
      (['hidden', 'clip'].includes(getComputedStyle(element).overflowX) || isCut(element.parentElement?.closest('main *') ?? null));
    return [...document.querySelectorAll<HTMLElement>('main *')]
      .filter(
        (element) =>
          element.getBoundingClientRect().right > window.innerWidth + 1 && !element.closest(free) && !isCut(element.parentElement),
      )
      .map((element) => `${element.tagName}.${element.className} ${element.textContent?.slice(0, 30)}`);
  });
}

/** A screen and the button that opens a dialog there. */
const DIALOGS = [
  ['#/run/flowers-b/live', 'Edit…'],
  ['#/run/flowers-b/live', 'Extend…'],
  ['#/run/flowers-b/switch', 'Defer…'],
  ['#/run/flowers-a/layers', 'Distribution…'],
  ['#/new', 'Vary…'],
  ['#/settings', 'Preview the report'],
  ['#/settings', 'Clean up checkpoints…'],
  ['#/settings', 'Show all licences'],
] as const;

/** What of an open dialog lies outside the window and cannot be scrolled to: its box, and controls that stick out sideways. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const [width, height] = [window.innerWidth, window.innerHeight];
    const outside = ({ left, right, top, bottom }: DOMRect): boolean => left < -1 || right > width + 1 || top < -1 || bottom > height + 1;
    const scrolls = (element: Element | null): boolean =>
      element !== null && (['auto', 'scroll'].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    return [...document.querySelectorAll('[role="dialog"]')].flatMap((dialog) => {
      const controls = [...dialog.querySelectorAll<HTMLElement>('button, input, select, textarea, a[href]')];
      const cut = controls.filter((control) => {
        const { left, right } = control.getBoundingClientRect();
        return (left < -1 || right > width + 1) && !scrolls(control.parentElement);
      });
      return [
        ...(outside(dialog.getBoundingClientRect()) ? ['the dialog itself'] : []),
        ...cut.map(({ textContent, ariaLabel }) => ariaLabel ?? textContent ?? ''),
      ];
    });
  });
}

describe.skipIf(!findChromium())('the page', () => {
  const browser = scriptedBrowser();

  it('reflows at 320 pixels: nothing but plots and tables is wider than the window', async () => {
    const { page } = await browser.open({ width: 320, height: 640 });
    for (const route of SCREENS) {
      await browser.go(page, { route });
      await page.waitForTimeout(200);
      expect(await stickingOut(page), route).toEqual([]);
    }
  });

  it('keeps dialogs inside a window of 320 pixels, their buttons in reach', async () => {
    const { page } = await browser.open({ width: 320, height: 640 });
    for (const [route, button] of DIALOGS) {
      await browser.go(page, { route });
      await page.getByRole('button', { name: button, exact: true }).first().click();
      await page.getByRole('dialog').waitFor();
      await page.waitForTimeout(200);
      expect(await cutOff(page), button).toEqual([]);
    }
  });

  it('shows the names of queued runs whole at 960 pixels', async () => {
    const { page } = await browser.open({ route: '#/queue', width: 960, height: 640 });
    const names = page.getByRole('region', { name: 'Queued runs' }).locator('tbody th');
    await names.first().waitFor();
    expect(await names.evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length)).toBe(0);
  });

  it('scrolls neither a map of 24 layers nor a table of changes sideways at 1,440 pixels', async () => {
    const { page } = await browser.open({ scenario: 'long' });
    const wide = (selector: string) =>
      page.locator(selector).evaluateAll((boxes) => boxes.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).length);
    for (const tab of ['layers', 'switch', 'what-if']) {
      await browser.go(page, { route: `#/run/long/${tab}`, scenario: 'long' });
      await page.locator('[data-cell="5-23"]').waitFor();
      expect(await wide('[role="grid"], main'), tab).toBe(0);
    }
    await browser.go(page, { route: '#/run/flowers-b/live' });
    await page.getByRole('button', { name: 'All charts as tables' }).click();
    await page.getByRole('region', { name: 'Change per family against τ, table' }).waitFor();
    expect(await wide('.table-region')).toBe(0);
  });

  it('keeps the mistakes of a thousand classes in their panel', async () => {
    const { page } = await browser.open({ route: '#/run/deep/evaluate', scenario: 'deep' });
    await page.getByRole('button', { name: 'Evaluate on' }).click();
    const list = page.getByRole('list', { name: 'Most frequent mistakes' });
    await list.waitFor();
    const [inner, outer] = [await list.boundingBox(), await page.getByRole('region', { name: 'Confusion', exact: true }).boundingBox()];
    expect((inner?.y ?? 0) + (inner?.height ?? 1e9)).toBeLessThanOrEqual((outer?.y ?? 0) + (outer?.height ?? 0));
  });

  it('says of memory in use only while a run holds some', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const bar = page.getByRole('contentinfo', { name: 'Status' });
    await bar.getByText('in use').waitFor();
    await browser.go(page, { route: '#/run/flowers-a/live' });
    await bar.getByText('checkpoint at step').waitFor();
    expect(await bar.getByText('in use').count()).toBe(0);
  });

  it('cuts the note in the head of a chart before a control: none lies on another', async () => {
    const { page } = await browser.open({ route: '#/compare/flowers-a,flowers-a-seed4,flowers-full' });
    await page.getByLabel('group all but random seed').check();
    const align = await page.getByRole('group', { name: 'align' }).locator('label').last().boundingBox();
    const save = await page.getByRole('button', { name: 'Save val top-1' }).boundingBox();
    expect((align?.x ?? 0) + (align?.width ?? 0)).toBeLessThanOrEqual(save?.x ?? 0);
  });

  it('keeps every control reachable with text at 200 %', async () => {
    const { page } = await browser.open();
    await page.evaluate(() => localStorage.setItem('prelora.preferences', JSON.stringify({ theme: 'light', fontScale: 200 })));
    for (const route of SCREENS) {
      await browser.go(page, { route });
      await page.waitForTimeout(200);
      expect(await stickingOut(page), route).toEqual([]);
    }
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize)).toBe('32px');
  });

  it('draws with the scheme of forced colours, whatever theme was chosen, and marks selection by a border', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/layers', theme: 'light', forcedColors: 'active', colorScheme: 'dark' });
    await page.locator('html[data-theme="dark"]').waitFor({ state: 'attached' });
    await page.locator('tr.on').first().waitFor();
    expect(
      await page
        .locator('tr.on')
        .first()
        .evaluate((row) => getComputedStyle(row).outlineStyle),
    ).toBe('solid');
  });

  it('moves nothing when motion is to be reduced', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/layers' });
    expect(await page.getByRole('button', { name: 'Play through the snapshots' }).count()).toBe(0);
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')].some((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return transitionDuration !== '0s' || animationName !== 'none';
      }),
    );
    expect(moving).toBe(false);
  });

  it('plays through the snapshots where motion is welcome', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-a/layers', reducedMotion: 'no-preference' });
    await page.getByRole('button', { name: 'Play through the snapshots' }).click();
    const slider = page.getByRole('slider', { name: 'Snapshot' });
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>('input[type="range"]')?.value) > 2);
    await page.getByRole('button', { name: 'Stop the film' }).click();
    const stopped = await slider.inputValue();
    await page.waitForTimeout(300);
    expect(await slider.inputValue()).toBe(stopped);
  });

  it('shows long, right-to-left and emoji names without breaking a line, whole on hover', async () => {
    const { page } = await browser.open({ scenario: 'odd', width: 960, height: 640 });
    await page.getByText('🌼🌷 flowers').first().waitFor();
    expect(await stickingOut(page)).toEqual([]);
    for (const row of await page.locator('[data-row]').all()) expect((await row.boundingBox())?.height).toBe(36);
    await browser.go(page, { route: '#/run/long/live', scenario: 'odd' });
    const title = page.getByRole('heading', { level: 1 });
    expect(await title.textContent()).toContain('…');
    expect(await title.getAttribute('title')).toContain('seed17-final-final-2');
    expect(await stickingOut(page)).toEqual([]);
    await browser.go(page, { route: '#/run/rtl/live', scenario: 'odd' });
    await page.getByRole('heading', { name: 'تجربة الزهور' }).waitFor();
  });

  it('shows losses that are no numbers, missing figures, unknown events and a clock that jumps as what they are', async () => {
    const { page, complaints } = await browser.open({ route: '#/run/long/live', scenario: 'odd' });
    await page.getByText('teleported: from the future').waitFor();
    await page.getByRole('button', { name: 'All charts as tables' }).click();
    const speed = page.getByRole('region', { name: 'Throughput, memory, table' });
    const row = speed.locator('tr', { has: page.locator('td[title="1200"]') });
    expect(await row.locator('td').allTextContents()).toEqual(['1,200', expect.stringMatching(/^\d/), expect.any(String), '–', '–', '–']);
    const gap = speed.locator('tr', { has: page.locator('td[title="1500"]') });
    expect((await gap.locator('td').allTextContents())[1]).toBe('–');
    const epochs = page.getByRole('region', { name: 'Loss, top-1, table' });
    expect(
      await epochs
        .locator('tr', { has: page.locator('td[title="750"]') })
        .locator('td')
        .allTextContents(),
    ).toContain('–');
    expect(await page.locator('.crashed').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('names a torn record and shows the rest', async () => {
    const { page } = await browser.open({ route: '#/runs' });
    await page.getByText('Damaged: snapshots.jsonl line 3').waitFor();
  });

  it('shows every must-have panel of Live at 1,440 × 900 without scrolling, and moves nothing between frames', async () => {
    const { page } = await browser.open({ route: '#/run/flowers-b/live' });
    const panels = ['Loss, top-1', 'Throughput, memory', 'Change per family against τ', 'Loss change against ζ', 'Layer × time', 'Journal'];
    const boxes = async () => Promise.all(panels.map((name) => page.getByRole('region', { name, exact: true }).boundingBox()));
    const before = await boxes();
    for (const box of before) expect((box?.y ?? 0) + (box?.height ?? 1e9)).toBeLessThanOrEqual(900);
    for (let i = 0; i < 30; i++) await page.evaluate(() => window.scripted.tick('flowers-b', 40));
    await page.getByText('step 4,300 of').waitFor();
    expect(await boxes()).toEqual(before);
  });
});
