/** What J1 (product.md section 1) has a newcomer do and see, step by step: the same in Chromium and in the desktop window. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { tableOf } from './realBrowser.ts';

/** How long any of it may take to come, in ms. */
interface Patience {
  timeout: number;
}

/** One click, and there is a first point on a chart. */
export async function runTheSample(page: Page, wait: Patience): Promise<void> {
  await page.getByRole('button', { name: 'Run the sample' }).first().click();
  await page.waitForURL(/#\/run\//, wait);
  await seeFirstPoint(page, wait);
}

/** On the screen of a run of the sample. */
export async function seeFirstPoint(page: Page, wait: Patience): Promise<void> {
  await page.getByText('chosen to show the switch, not to win accuracy').waitFor(wait);
  await page.getByRole('application', { name: 'Throughput, memory' }).waitFor(wait);
}

/** On Live: the switch and the freeze, in the journal. `told` hears of each as it comes. */
export async function seeSwitchAndFreeze(page: Page, wait: Patience, told: (what: string) => void = () => {}): Promise<void> {
  const inJournal = (words: RegExp) => page.getByRole('list', { name: 'Events, newest first' }).getByText(words).first();
  await inJournal(/Switch: adapters attached/).waitFor(wait);
  told('switch');
  await inJournal(/Freeze: the adapted base weights stop training/).waitFor(wait);
  told('freeze');
}

/**
 * On Live: the loss has fallen and the layers have cooled, by the tables of the charts. The layers until the switch: adapters that join a base
 * still in training move the effective weights more for a while.
 */
export async function seeItLearn(page: Page, switchStep: number): Promise<void> {
  const losses = (await tableOf(page, 'Loss, top-1')).map((row) => Number(row[2]));
  expect(losses.length).toBeGreaterThanOrEqual(2);
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) * 0.9);
  const untilSwitch = (await tableOf(page, 'Change per family against τ')).filter((row) => Number(row[0]) <= switchStep);
  const changes = untilSwitch.map((row) => Math.max(...row.slice(1, 7).map(Number)));
  expect(changes.length).toBeGreaterThanOrEqual(2);
  expect(changes.at(-1)).toBeLessThan(changes[0] as number);
  await page.getByRole('application', { name: 'Layer by time: change' }).waitFor();
}

/** On Switch: trainable parameters, memory and speed, before and after, measured. */
export async function seeBeforeAndAfter(page: Page): Promise<void> {
  await page.getByRole('link', { name: /^Switch/ }).click();
  await page.getByText(/Switched at step [\d,]+, frozen at step/).waitFor();
  for (const figure of ['trainable', 'peak memory, measured', 'throughput, measured']) {
    const row = page.getByRole('row', { name: figure });
    await expect.poll(() => row.getByRole('cell').allInnerTexts(), { timeout: 60_000 }).not.toContain('–');
  }
}

/** On Evaluate: one image, with what the model saw and whether it was right. */
export async function classifyOne(page: Page, wait: Patience): Promise<void> {
  await page.getByRole('link', { name: /^Evaluate/ }).click();
  await page.getByRole('button', { name: 'Classify' }).click();
  await page.getByAltText('What the model saw').waitFor(wait);
  await page.getByText(/✓ right|✗ it is/).waitFor();
}

/** On Export: the best weights as a Hugging Face folder, which computes what the engine computes. */
export async function exportAndVerify(page: Page, wait: Patience): Promise<void> {
  await page.getByRole('link', { name: 'Export' }).click();
  await page.getByRole('button', { name: 'Export and verify' }).click();
  await page.getByText('Everything that was read back is what was exported.').waitFor(wait);
  await page.getByText(/\d+ images, largest difference .* every first class equal/).waitFor();
}
