/** What a stream of frames may do to the page: storms, doubles, the wrong order, frames while it asks, frames while it is hidden. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import type { RunFrame } from '../../main/protocol/events.ts';
import { tableOf } from './support/realBrowser.ts';
import { asked, scriptedBrowser } from './support/scriptedBrowser.ts';

const RUN = 'flowers-b';
const LIVE = `#/run/${RUN}/live`;
/** Where it stands when a scene begins, and how often a line of metrics is written. */
const [START, EVERY] = [3100, 10];

declare global {
  interface Window {
    held: RunFrame[];
  }
}

/** From here on frames wait in `window.held` until they are let through. */
function holdFrames(page: Page): Promise<void> {
  return page.evaluate(() => {
    const { scripted } = window;
    window.held = [];
    const emit = scripted.emit.bind(scripted);
    scripted.emit = (event, payload) => (event === 'run:frame' ? void window.held.push(payload as RunFrame) : emit(event, payload));
  });
}

/** Gives the page the held frames of these numbers, in this order. */
function letThrough(page: Page, order: readonly number[]): Promise<void> {
  return page.evaluate((places) => {
    const emit = Object.getPrototypeOf(window.scripted).emit.bind(window.scripted);
    for (const place of places) emit('run:frame', window.held[place]);
  }, order);
}

/** The steps in the table of throughput. */
async function stepsShown(page: Page): Promise<number[]> {
  return (await tableOf(page, 'Throughput, memory')).map(([step]) => Number(step));
}

function everyStepTo(end: number): number[] {
  return Array.from({ length: end / EVERY }, (_, i) => EVERY * (i + 1)).slice(-400);
}

describe.skipIf(!findChromium())('frames', () => {
  const browser = scriptedBrowser();

  it('that come twice, or not in their order, leave the records of the files', async () => {
    const { page } = await browser.open({ route: LIVE });
    await page.getByText('step 3,100 of').waitFor();
    await holdFrames(page);
    for (let i = 0; i < 6; i++) await page.evaluate(([id, steps]) => window.scripted.tick(id, steps), [RUN, 40] as const);
    const before = (await asked(page, 'run:state')).length;
    await letThrough(page, [0, 0, 1, 0, 4, 2, 3, 3, 5, 1]);
    await page.getByText('step 3,340 of').waitFor();
    await expect.poll(() => stepsShown(page)).toEqual(everyStepTo(START + 240));
    expect((await asked(page, 'run:state')).length, 'asked again for what the gap left out').toBeGreaterThan(before);
  });

  it('that come while the page asks for the run follow its answer, each record once', async () => {
    const { page } = await browser.open({ route: LIVE });
    await page.getByText('step 3,100 of').waitFor();
    await page.evaluate(() => {
      window.scripted.latencyMs = 400;
      location.hash = '#/runs';
    });
    await page.locator('[data-row]').first().waitFor();
    await page.evaluate(async (id) => {
      location.hash = `#/run/${id}/live`;
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setTimeout(resolve, 80));
        window.scripted.tick(id, 40);
      }
      window.scripted.latencyMs = 0;
    }, RUN);
    await page.getByText('step 3,500 of').waitFor();
    await expect.poll(() => stepsShown(page)).toEqual(everyStepTo(START + 400));
  });

  it('and events in a storm leave the page at work, its document small, and every event counted', async () => {
    const { page, complaints } = await browser.open({ route: LIVE });
    await page.getByText('step 3,100 of').waitFor();
    const elements = () => page.evaluate(() => document.querySelectorAll('*').length);
    const before = await elements();
    const longest = await page.evaluate(storm, RUN);
    console.log(`a storm of 1,000 frames with 5,000 events: the page stood still for ${longest.toFixed(0)} ms at most`);
    const journal = page.getByRole('list', { name: 'Events, newest first' });
    await journal.getByText('Note: storm 4,999').waitFor();
    expect(await journal.getByRole('listitem').count()).toBeLessThanOrEqual(300);
    expect(await elements()).toBeLessThan(before + 300 * 6);
    // 5,000 notes of the storm at one place of the timeline.
    await page.getByRole('button', { name: /and 4,99\d more/ }).waitFor();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Resume', exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('are answered once a second while the page is hidden, and nothing is missing when it is seen again', async () => {
    const { page } = await browser.open({ route: LIVE });
    await page.getByText('step 3,100 of').waitFor();
    await hide(page, true);
    const before = (await asked(page, 'frames:ack')).length;
    await page.evaluate(async (id) => {
      for (let i = 0; i < 40; i++) {
        window.scripted.tick(id, 10);
        await new Promise((resolve) => setTimeout(resolve, 80));
      }
    }, RUN);
    const answered = (await asked(page, 'frames:ack')).length - before;
    expect(answered).toBeGreaterThan(0);
    expect(answered, '40 frames in 3.2 s').toBeLessThanOrEqual(5);
    await hide(page, false);
    await expect.poll(() => stepsShown(page)).toEqual(everyStepTo(START + 400));
  });
});

/** Runs in the page: frames as fast as they can be made, five notes in each. Gives the longest time the page did nothing else. */
async function storm(runId: string): Promise<number> {
  const { scripted } = window;
  let [longest, last] = [0, performance.now()];
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 10);
  const emit = scripted.emit.bind(scripted);
  let written = 0;
  scripted.emit = (event, payload) => {
    if (event === 'run:frame') {
      const { events, status } = payload as RunFrame;
      for (let i = 0; i < 5; i++, written++) {
        const detail = { text: `storm ${written.toLocaleString('en-US')}` };
        const time = new Date(Date.UTC(2026, 10, 23) + written).toISOString();
        events.push({ kind: 'note', step: status.step, segment: 0, time, by: 'user', detail });
      }
    }
    emit(event, payload);
  };
  for (let i = 0; i < 1000; i++) {
    scripted.tick(runId, 0);
    if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve));
  }
  scripted.emit = emit;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  clearInterval(beat);
  return longest;
}

/** As far as the page can tell: the browser of a test has no window that could be minimised. */
function hide(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}
