/** `prelora serve` with a data root of its own, and a Chromium page on it; both end with the tests of the file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launch } from '../../build/scriptedPage.mjs';

const root = path.resolve(import.meta.dirname, '../..');

export interface ServedPage {
  page: Page;
  dataRoot: string;
  /** Ends the server as Ctrl+C does, starts it again, and opens the page on it. */
  restart(): Promise<void>;
}

/** Registers the hooks; what it gives back is filled before the first test. */
export function servedPage(): ServedPage {
  const dataRoot = mkdtempSync(path.join(os.tmpdir(), 'prelora-page-'));
  let server: ChildProcess;
  let browser: Browser;
  const served = {
    dataRoot,
    async restart() {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await gone;
      await open();
    },
  } as ServedPage;

  async function open(): Promise<void> {
    server = spawn(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'serve', '--port', '0'], {
      env: { ...process.env, PRELORA_DATA_DIR: dataRoot },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const address = await new Promise<string>((resolve, reject) => {
      server.stdout?.once('data', (text: Buffer) => resolve(String(text).trim()));
      server.once('exit', (code) => reject(new Error(`prelora serve ended with ${code}`)));
    });
    await served.page.goto(address);
    await served.page.waitForSelector('.sidebar');
  }

  beforeAll(async () => {
    browser = await launch();
    served.page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
    await open();
  });
  afterAll(async () => {
    await browser?.close();
    server?.kill('SIGINT');
    rmSync(dataRoot, { recursive: true, force: true });
  });
  return served;
}

/** Opens New run with this config as the draft. */
export async function draftRun(page: Page, config: object): Promise<void> {
  await page.evaluate((draft) => window.localStorage.setItem('prelora.draft', JSON.stringify({ config: draft, base: draft })), config);
  await page.evaluate(() => {
    window.location.hash = '#/runs';
  });
  await page.evaluate(() => {
    window.location.hash = '#/new';
  });
}
