/**
 * J1, the first five minutes (product.md section 1; F12): from an empty screen with one click, nothing typed and no file chosen, through all a
 * newcomer is to see. On the native engine, or on wasm where PRELORA_SAMPLE_ENGINE=wasm hides it; the times are printed.
 */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { findEngine } from '../../main/engine/installed.ts';
import { realBrowser, tableOf } from './support/realBrowser.ts';

const isNative = process.env.PRELORA_SAMPLE_ENGINE !== 'wasm' && findEngine() !== null;
const LIMIT_MINUTES = isNative ? 5 : 10;
const NO_ENGINES = '/nonexistent/prelora-engines';

describe.skipIf(!findChromium())(`the first minutes on ${isNative ? 'the native engine' : 'wasm'}`, () => {
  const browser = realBrowser(isNative ? {} : { PRELORA_ENGINES_DIR: NO_ENGINES });

  it(`show loss fall, layers cool, a switch, a freeze, before and after, and one image classified, within ${LIMIT_MINUTES} minutes`, {
    timeout: (LIMIT_MINUTES + 1) * 60_000,
  }, async () => {
    const page = await browser.open();
    const started = performance.now();
    const times: string[] = [];
    const minutes = (): number => (performance.now() - started) / 60_000;
    const told = (what: string): void => void times.push(`${what} ${minutes().toFixed(1)} min`);
    const wait = { timeout: LIMIT_MINUTES * 60_000 };

    await page.getByRole('button', { name: 'Run the sample' }).first().click();
    await page.waitForURL(/#\/run\//, wait);
    await page.getByText('chosen to show the switch, not to win accuracy').waitFor(wait);
    await page.getByRole('application', { name: 'Throughput, memory' }).waitFor(wait);
    told('first point');
    expect(minutes(), 'first point on a chart, in minutes').toBeLessThan(0.5);

    await eventInJournal(page, /Switch: adapters attached/).waitFor(wait);
    told('switch');
    await eventInJournal(page, /Freeze: the adapted base weights stop training/).waitFor(wait);
    told('freeze');

    const losses = (await tableOf(page, 'Loss, top-1')).map((row) => Number(row[2]));
    expect(losses.length).toBeGreaterThanOrEqual(2);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) * 0.9);
    // Until the switch: adapters that join a base still in training move the effective weights more for a while.
    const [sample] = await browser.engine.request('runs:list', {});
    const switchStep = sample?.status.switchStep as number;
    const untilSwitch = (await tableOf(page, 'Change per family against τ')).filter((row) => Number(row[0]) <= switchStep);
    const changes = untilSwitch.map((row) => Math.max(...row.slice(1, 7).map(Number)));
    expect(changes.length).toBeGreaterThanOrEqual(2);
    expect(changes.at(-1)).toBeLessThan(changes[0] as number);
    await page.getByRole('application', { name: 'Layer by time: change' }).waitFor();

    await page.getByRole('link', { name: /^Switch/ }).click();
    await page.getByText(/Switched at step [\d,]+, frozen at step/).waitFor();
    for (const figure of ['trainable', 'peak memory, measured', 'throughput, measured']) {
      const row = page.getByRole('row', { name: figure });
      await expect.poll(() => row.getByRole('cell').allInnerTexts(), { timeout: 60_000 }).not.toContain('–');
    }
    told('before and after');

    await page.getByRole('link', { name: /^Evaluate/ }).click();
    await page.getByRole('button', { name: 'Classify' }).click();
    await page.getByAltText('What the model saw').waitFor(wait);
    await page.getByText(/✓ right|✗ it is/).waitFor();
    told('image classified');
    console.log(`sample on ${isNative ? 'tensorflow' : 'wasm'}: ${times.join(', ')}`);
    expect(minutes(), 'minutes from the click to the last of it').toBeLessThan(LIMIT_MINUTES);
  });
});

function eventInJournal(page: Page, words: RegExp) {
  return page.getByRole('list', { name: 'Events, newest first' }).getByText(words).first();
}
