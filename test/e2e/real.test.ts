/**
 * The built page on the real engine host in browser mode: the sample from one click to curves, pause and resume, an image tried, stop.
 * A tiny run of its own; the whole of J1 takes minutes and is for `npm run test:e2e` with PRELORA_WHOLE_SAMPLE=1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, launch } from '../../build/scriptedPage.mjs';

const root = path.resolve(import.meta.dirname, '../..');

/** `prelora serve` on a free port with a data root of its own; gives the address with its token. */
async function serve(dataRoot: string): Promise<{ process: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'serve', '--port', '0'], {
    env: { ...process.env, PRELORA_DATA_DIR: dataRoot },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (text: Buffer) => resolve(String(text).trim()));
    child.once('exit', (code) => reject(new Error(`prelora serve ended with ${code}`)));
  });
  return { process: child, address };
}

describe.skipIf(!findChromium())('the real engine', () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let browser: Browser;
  let page: Page;
  const dataRoot = mkdtempSync(path.join(os.tmpdir(), 'prelora-page-'));

  beforeAll(async () => {
    [server, browser] = await Promise.all([serve(dataRoot), launch()]);
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
    await page.goto(server.address);
    await page.waitForSelector('.sidebar');
  });
  afterAll(async () => {
    await browser?.close();
    server?.process.kill('SIGINT');
    rmSync(dataRoot, { recursive: true, force: true });
  });

  it('takes the token out of the address bar', () => expect(page.url()).not.toContain('token'));

  it('runs the sample from one click to a point on a chart', async () => {
    await page.getByRole('button', { name: 'Run the sample' }).first().click();
    // How soon the first point must be there is held by sample.test.ts.
    await page.waitForURL(/#\/run\//, { timeout: 60_000 });
    await page.getByRole('application', { name: 'Loss, top-1' }).waitFor({ timeout: 60_000 });
  });

  it('pauses with the model loaded, tries an image, and resumes', async () => {
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Resume', exact: true }).waitFor({ timeout: 30_000 });
    await page.keyboard.press('Control+5');
    await page.getByRole('button', { name: 'Classify' }).click();
    await page.getByAltText('What the model saw').waitFor({ timeout: 30_000 });
    await page.keyboard.press('Control+1');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor({ timeout: 30_000 });
  });

  it('shows the same run after a reload', async () => {
    await page.reload();
    await page.getByRole('application', { name: 'Loss, top-1' }).waitFor({ timeout: 30_000 });
  });

  it('stops and keeps', async () => {
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('menuitem', { name: /Stop and keep/ }).click();
    await page.getByText('everything is kept').waitFor({ timeout: 60_000 });
  });
});
