/** Steering a run on its screen, and what must have come of it: the same in Chromium and in the desktop window. */
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { readRecords, readStatus } from '../../../main/store/runFolder.ts';
import { type RunContent, runContent } from '../../support/runContent.ts';
import { SMALL_RUN } from '../../support/smallRun.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { waitForStatus } from './realBrowser.ts';
import { rerun } from './rerun.ts';

/** Switches by the rule, but not before τ is raised. */
export const RULED = {
  ...SMALL_RUN,
  train: { ...SMALL_RUN.train, checkpointEvery: 40, evalEvery: 10 },
  prelora: { ...SMALL_RUN.prelora, switching: 'auto', tau: 0.02 },
};

/** Pauses for 3 s, in which nothing is trained, and resumes within one. */
export async function pauseAndResume(page: Page, dir: string): Promise<void> {
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await waitForStatus(page, 'Paused');
  // The page hears of it before the file is written.
  await expect.poll(async () => (await readStatus(dir))?.status).toBe('paused');
  const pausedAt = (await readStatus(dir))?.step;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect((await readStatus(dir))?.step).toBe(pausedAt);
  const clicked = performance.now();
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await waitForStatus(page, 'Running');
  expect(performance.now() - clicked, 'ms from the click to running').toBeLessThan(1000);
}

/** Edits τ by drag, by field and by keys; the run's journal tells of the three. */
export async function editTau(page: Page, dir: string): Promise<void> {
  const handle = page.getByRole('slider', { name: /^τ weight threshold/ });
  await handle.waitFor();
  await dragUp(page, handle);
  await apply(page);
  const field = page.getByRole('textbox', { name: 'τ' });
  await field.fill('0.08');
  await field.press('Enter');
  await apply(page);
  await handle.focus();
  for (let press = 0; press < 3; press++) await page.keyboard.press('Shift+ArrowUp');
  await apply(page);

  const edits = (await readRecords(dir, 'events')).filter(({ kind }) => kind === 'edited').map(({ detail }) => detail);
  expect(edits).toMatchObject([
    { field: 'prelora.tau', from: 0.02 },
    { field: 'prelora.tau', to: 0.08 },
    { field: 'prelora.tau', from: 0.08, to: 0.38 },
  ]);
  expect(edits[0]?.to).toBeGreaterThan(0.02);
}

/** While a run trains the axis grows under the handle, which may be gone from where it was grasped: then it is grasped again. */
async function dragUp(page: Page, handle: Locator): Promise<void> {
  const proposed = page.getByRole('button', { name: 'Apply', exact: true });
  await expect
    .poll(async () => {
      await handle.hover();
      const box = await handle.boundingBox();
      if (!box) throw new Error('the handle of τ has no place');
      await page.mouse.down();
      await page.mouse.move(box.x + 12, box.y - 8, { steps: 4 });
      await page.mouse.up();
      return proposed.isVisible();
    })
    .toBe(true);
}

/** Its config and its journal alone give the run again; `compared` is what must be equal. */
export async function expectSameAgain(dir: string, compared: (content: RunContent) => object = (content) => content): Promise<void> {
  const again = path.join(temporaryFolder(), 'again');
  await rerun(dir, again);
  expect(compared(await runContent(again))).toEqual(compared(await runContent(dir)));
}

async function apply(page: Page): Promise<void> {
  const events = page.getByRole('list', { name: 'Events, newest first' }).getByText(/τ\s.*→/);
  const before = await events.count();
  await page.getByRole('button', { name: 'Apply', exact: true }).click();
  await expect.poll(() => events.count()).toBe(before + 1);
}
