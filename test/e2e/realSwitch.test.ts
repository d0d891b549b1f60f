/** The switch in the user's hands, on a real run: proposal, preview, ranks by hand, trial, confirm, undo, defer, veto; and Off, which never switches. */
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { readRanks, readRecords, readStatus } from '../../main/store/runFolder.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, waitForStatus } from './support/realBrowser.ts';

const FAMILIES = ['attn.q', 'attn.k', 'attn.v', 'attn.proj', 'mlp.fc1', 'mlp.fc2'];

describe.skipIf(!findChromium())('the switch in manual mode', () => {
  const browser = realBrowser();

  it('is proposed, previewed, changed by hand, tried, confirmed as shown, undone, turned down, deferred, and never made while Off', async () => {
    const { runId, dir } = await browser.start({ ...SMALL_RUN, train: { ...SMALL_RUN.train, epochs: 10_000 } });
    const kinds = async (): Promise<string[]> => (await readRecords(dir, 'events')).map(({ kind }) => kind);
    const page = await browser.open(runId);
    await page.locator('strong', { hasText: /Switch proposed at step/ }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Open the preview' }).click();

    const map = page.getByRole('grid', { name: 'Rank per module' });
    const cell = (family: number, layer: number) => map.locator(`[data-cell="${family}-${layer}"]`);
    for (const [family, layer, rank] of [
      [0, 0, '1'],
      [4, 1, '2'],
    ] as const) {
      await cell(family, layer).click();
      await page.keyboard.press(rank);
      await page.keyboard.press('Enter');
      await expect.poll(() => cell(family, layer).innerText()).toBe(rank);
    }
    await page.getByText('2 set by hand').waitFor();
    await page.getByRole('button', { name: 'Measure', exact: true }).click();
    await page.getByText('Measuring…').waitFor();
    await page.getByRole('button', { name: 'Measure', exact: true }).waitFor({ timeout: 60_000 });
    const trial = page.getByRole('row', { name: /^throughput, trial/ });
    const [now, , lora] = await trial.getByRole('cell').allInnerTexts();
    expect([now, lora]).toEqual([expect.stringContaining('img/s'), expect.stringContaining('img/s')]);

    // While it is paused the map stands still between reading and deciding.
    await browser.engine.request('run:pause', { runId });
    await waitForStatus(page, 'Paused');
    await page.getByText(/^2 set by hand/).waitFor();
    const readMap = async (): Promise<Record<string, number>> => {
      const cells = FAMILIES.flatMap((family, row) =>
        [0, 1].map(async (layer) => [`blocks.${layer}.${family}`, Number(await cell(row, layer).innerText())] as const),
      );
      return Object.fromEntries(await Promise.all(cells));
    };
    // The preview of the last snapshot before the pause may still be on its way.
    let shown = await readMap();
    await expect
      .poll(
        async () => {
          const before = shown;
          shown = await readMap();
          return JSON.stringify(shown) === JSON.stringify(before);
        },
        { interval: 1000 },
      )
      .toBe(true);
    await page.getByRole('button', { name: 'Switch at the next step' }).click();
    await expect.poll(kinds).toContain('switch-triggered');
    await browser.engine.request('run:resume', { runId });
    await page.getByText(/Switched at step/).waitFor();
    const ranks = Object.fromEntries(((await readRanks(dir))?.modules ?? []).map(({ module, rank }) => [module, rank]));
    expect(ranks).toEqual(shown);
    expect(ranks).toMatchObject({ 'blocks.0.attn.q': 1, 'blocks.1.mlp.fc1': 2 });

    await waitForStatus(page, 'LoRA');
    await page.getByRole('button', { name: 'Undo switch' }).click();
    await waitForStatus(page, 'Paused');
    await waitForStatus(page, 'Full');
    // The page hears of it before the file is written.
    await expect.poll(() => readStatus(dir)).toMatchObject({ phase: 'full', status: 'paused', switchStep: null });

    // The window of the undone switch still passes; it is turned down.
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByRole('link', { name: /^Live/ }).click();
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await expect.poll(kinds).toContain('switch-vetoed');
    await page.locator('strong', { hasText: /Switch proposed at step/ }).waitFor();
    await page.getByRole('button', { name: 'Open the preview' }).click();
    await page.getByRole('button', { name: 'Defer…' }).click();
    await page.getByRole('textbox', { name: 'tests' }).fill('2');
    await page.getByRole('textbox', { name: 'tests' }).press('Tab');
    await page.getByRole('button', { name: 'Defer', exact: true }).click();
    await expect.poll(kinds).toContain('switch-deferred');
    await expect.poll(kinds).toContain('deferral-ended');

    await page.getByRole('link', { name: /^Live/ }).click();
    await page.getByRole('radio', { name: 'Off' }).click();
    const newest = async () => (await readRecords(dir, 'events')).at(-1);
    await expect.poll(async () => (await newest())?.detail).toMatchObject({ field: 'prelora.switching', to: 'off' });
    // Of the event itself: the status file is a moment behind.
    const offAt = (await newest())?.step ?? 0;
    await expect.poll(async () => (await readRecords(dir, 'snapshots')).at(-1)?.step, { timeout: 30_000 }).toBeGreaterThan(offAt + 40);
    expect((await readRecords(dir, 'events')).filter(({ kind, step }) => step > offAt && /^(ready|switch)/.test(kind))).toEqual([]);
    expect((await kinds()).filter((kind) => kind === 'switched')).toHaveLength(1);
    await browser.engine.request('run:stop', { runId });
  });
});
