/** The way between the page and the real host: cut and mended, slow because nobody looks, stopped because the page stands still. */
import type { Page, WebSocketRoute } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, tableOf, waitForStatus } from './support/realBrowser.ts';

/** Sparing with evaluations and checkpoints, which take longer than its steps. */
const trained = (epochs: number) => ({ ...SMALL_RUN, train: { ...SMALL_RUN.train, epochs, checkpointEvery: 80, evalEvery: 20 } });

const stepOf = async (dir: string): Promise<number> => (await readStatus(dir))?.step ?? 0;

async function passes(dir: string, step: number): Promise<void> {
  await expect.poll(() => stepOf(dir), { timeout: 30_000 }).toBeGreaterThan(step);
}

/** The page's table says what the files say. */
async function expectTheFiles(page: Page, dir: string): Promise<void> {
  const written = (await readRecords(dir, 'metrics')).slice(-400).map(({ step, loss }) => [String(step), String(loss)]);
  await expect.poll(async () => (await tableOf(page, 'Throughput, memory')).map((row) => row.slice(0, 2))).toEqual(written);
}

/** Sockets that the page opens from its next load on, to be cut and mended. */
async function cuttable(page: Page): Promise<{ cut(): Promise<void>; mend(): void }> {
  const sockets = new Set<WebSocketRoute>();
  let isCut = false;
  await page.routeWebSocket(/\/socket/, (socket) => {
    if (isCut) return void socket.close();
    socket.connectToServer();
    sockets.add(socket);
  });
  await page.reload();
  return {
    async cut() {
      isCut = true;
      for (const socket of sockets) await socket.close();
      sockets.clear();
    },
    mend() {
      isCut = false;
    },
  };
}

/** Frames that the page receives from its next load on. */
async function countFrames(page: Page): Promise<{ received: number }> {
  const count = { received: 0 };
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (String(payload).includes('"event":"run:frame"')) count.received++;
    });
  });
  await page.reload();
  return count;
}

describe.skipIf(!findChromium())('a run goes on', () => {
  const browser = realBrowser();

  it('while the page is cut off, which says so, refuses what it is asked, and has all the files hold when it is back', async () => {
    const { runId, dir } = await browser.start(trained(400));
    const page = await browser.open(runId);
    const line = await cuttable(page);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    await line.cut();
    const lost = page.getByRole('alert').getByText('Connection lost; trying again. Training goes on.');
    await lost.waitFor();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('alert').getByText('The connection to the engine is lost; the page reconnects by itself.').waitFor();
    await passes(dir, (await stepOf(dir)) + 50);
    line.mend();
    await lost.waitFor({ state: 'detached' });
    // Without a word of the run's but its frames.
    const shown = async () => Number(/step ([\d,]+) of/.exec(await page.locator('header.head').innerText())?.[1]?.replace(',', ''));
    const mendedAt = await stepOf(dir);
    await expect.poll(shown, { timeout: 30_000 }).toBeGreaterThan(mendedAt);
    expect((await readRecords(dir, 'events')).map(({ kind }) => kind)).not.toContain('paused');
    await browser.engine.request('run:pause', { runId });
    await waitForStatus(page, 'Paused');
    await expectTheFiles(page, dir);
  });

  it('at its pace while the page is hidden, which gets one frame a second, and all of it when it is seen again', async () => {
    const { runId, dir } = await browser.start(trained(400));
    const page = await browser.open(runId);
    const count = await countFrames(page);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    const seen = await countedIn(page, count, 4000);
    await page.evaluate(() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }));
    await page.waitForTimeout(1000);
    const before = await stepOf(dir);
    const hidden = await countedIn(page, count, 6000);
    console.log(`frames a second: ${(seen / 4).toFixed(1)} while the page is seen, ${(hidden / 6).toFixed(1)} while it is hidden`);
    expect(await stepOf(dir)).toBeGreaterThan(before);
    expect(seen / 4).toBeGreaterThan(2);
    expect(hidden).toBeGreaterThan(0);
    expect(hidden).toBeLessThanOrEqual(7);
    await page.evaluate(() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => false }));
    await browser.engine.request('run:pause', { runId });
    await waitForStatus(page, 'Paused');
    await expectTheFiles(page, dir);
  });

  it('while the page stands still for three seconds, which has missed nothing afterwards', async () => {
    const { runId, dir } = await browser.start(trained(400));
    const page = await browser.open(runId);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor();
    const before = await stepOf(dir);
    await page.evaluate(() => {
      const until = performance.now() + 3000;
      while (performance.now() < until);
    });
    expect(await stepOf(dir)).toBeGreaterThan(before);
    await browser.engine.request('run:pause', { runId });
    await waitForStatus(page, 'Paused');
    await expectTheFiles(page, dir);
  });
});

async function countedIn(page: Page, count: { received: number }, ms: number): Promise<number> {
  const before = count.received;
  await page.waitForTimeout(ms);
  return count.received - before;
}
