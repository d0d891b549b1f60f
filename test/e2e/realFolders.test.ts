/** Run folders that are not as this program leaves them: of a later version, torn, with events it does not know, from a clock that jumped. */
import { appendFileSync, cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { realBrowser, tableOf, waitForStatus } from './support/realBrowser.ts';

const CONFIG = { ...SMALL_RUN, train: { ...SMALL_RUN.train, epochs: 4 } };

/** A copy of the run's folder under another id; `change` does to it what the test is about. */
function copyRun(dir: string, runId: string, change: (folder: string) => void): string {
  const folder = path.join(path.dirname(dir), runId);
  cpSync(dir, folder, { recursive: true });
  const file = path.join(folder, 'status.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), runId, name: runId }));
  change(folder);
  return folder;
}

describe.skipIf(!findChromium())('the page', () => {
  const browser = realBrowser();

  async function finishedRun(): Promise<string> {
    const { dir } = await browser.start(CONFIG);
    await expect.poll(async () => (await readStatus(dir))?.status, { timeout: 30_000 }).toBe('finished');
    return dir;
  }

  it('keeps the row of a run of a later version, says which version, opens its screen, and lets it be', async () => {
    const dir = await finishedRun();
    const file = path.join(
      copyRun(dir, 'from-the-future', (folder) => {
        const config = path.join(folder, 'config.json');
        writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), schemaVersion: 99 }));
      }),
      'config.json',
    );
    const before = readFileSync(file, 'utf8');
    const page = await browser.open();
    await page.reload();
    const row = page.getByRole('row', { name: /from-the-future/ });
    await row.getByText(/Damaged: .*config is version 99, this program reads up to 1/).waitFor();
    await row.getByRole('link').click();
    await page
      .getByRole('alert')
      .getByText(/config is version 99, this program reads up to 1/)
      .waitFor();
    await page.getByText('This run cannot be shown').waitFor();
    expect(await page.locator('.crashed').count()).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('names a record that cannot be read, shows the rest, and passes over a torn last line', async () => {
    const dir = await finishedRun();
    copyRun(dir, 'torn', (folder) => {
      const file = path.join(folder, 'snapshots.jsonl');
      const lines = readFileSync(file, 'utf8').split('\n');
      lines[2] = '{"step": 8, "epo';
      writeFileSync(file, lines.join('\n'));
      const metrics = path.join(folder, 'metrics.jsonl');
      truncateSync(metrics, readFileSync(metrics).length - 9);
    });
    const page = await browser.open('torn');
    for (const tab of ['Live', 'Layers', 'What-if']) {
      await page.getByRole('link', { name: new RegExp(`^${tab}`) }).click();
      await page.getByText(/snapshots\.jsonl: a line is no record/).waitFor();
    }
    await page.getByRole('link', { name: /^Live/ }).click();
    const steps = (await tableOf(page, 'Throughput, memory')).map(([step]) => Number(step));
    expect(steps).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
    expect((await readRecords(dir, 'metrics')).length).toBe(32);
  });

  it('shows events of kinds it does not know by their names, in their order, though the clock jumped', async () => {
    const dir = await finishedRun();
    copyRun(dir, 'odd-journal', (folder) => {
      const event = { step: 20, segment: 0, by: 'program', kind: 'teleported', time: '1999-12-31T23:59:59.000Z' };
      appendFileSync(path.join(folder, 'events.jsonl'), `${JSON.stringify({ ...event, detail: { words: 'from the future' } })}\n`);
      appendFileSync(
        path.join(folder, 'events.jsonl'),
        `${JSON.stringify({ ...event, kind: 'note', time: '2099-01-01T00:00:00.000Z', detail: { text: 'and on' } })}\n`,
      );
    });
    const page = await browser.open('odd-journal');
    await waitForStatus(page, 'Finished');
    const items = page.getByRole('list', { name: 'Events, newest first' }).getByRole('listitem');
    await items.filter({ hasText: 'teleported: from the future' }).waitFor();
    expect((await items.allInnerTexts()).slice(0, 2).join()).toMatch(/Note: and on[\s\S]*teleported: from the future/);
    expect(await page.locator('.crashed').count()).toBe(0);
  });
});
