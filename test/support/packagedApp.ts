/**
 * The packaged program, made with `--dir` from the Electron runtime that is here, started and driven. Playwright's own way of starting an
 * Electron needs the inspector of its main process, which the fuses of a packaged one switch off: the page is reached over Chromium's
 * remote debugging port instead.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { makePackage, unpackedFolder } from '../../build/package.mjs';
import { askOverBridge, type BridgeAnswer, startScreen } from './desktopApp.ts';

export interface Packed {
  /** The unpacked program. */
  folder: string;
  executable: string;
  remove(): void;
}

/** Packs the checkout round the runtime of `electron`. Throws when the packaging tools cannot be installed. */
export async function packCheckout(electron: string): Promise<Packed> {
  const output = mkdtempSync(path.join(tmpdir(), 'prelora package '));
  await makePackage({ dir: true, electron, output });
  const folder = unpackedFolder(output);
  return {
    folder,
    executable: path.join(folder, 'prelora-workbench'),
    remove: () => rmSync(output, { recursive: true, force: true }),
  };
}

export interface PackagedApp {
  page: Page;
  dataDir: string;
  /** All that it and its processes have said. */
  said(): string;
  ask(name: string, arg: unknown): Promise<BridgeAnswer>;
  close(): Promise<void>;
}

export interface StartOptions {
  args?: string[];
  env?: Record<string, string>;
}

export async function startPackagedApp(executable: string, { args = [], env = {} }: StartOptions = {}): Promise<PackagedApp> {
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora packaged '));
  const screen = process.env.DISPLAY ? null : await startScreen();
  const dataDir = path.join(folder, 'data');
  const child = spawn(executable, ['--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', ...args], {
    env: {
      ...process.env,
      PRELORA_DATA_DIR: dataDir,
      XDG_CONFIG_HOME: path.join(folder, 'config'),
      ...(screen && { DISPLAY: screen.display }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  // Without noDefaults Playwright sets a download folder, which Electron has not.
  const browser = await chromium.connectOverCDP(await output.debuggingAddress, { noDefaults: true });
  const page = await firstPage(browser);
  return {
    page,
    dataDir,
    said: output.said,
    ask: (name, arg) => askOverBridge(page, name, arg),
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('exit', resolve));
      }
      screen?.server.kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
    },
  };
}

function collect(child: ChildProcess): { debuggingAddress: Promise<string>; said(): string } {
  let text = '';
  const debuggingAddress = new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      text += chunk;
      const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (address) resolve(address);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', (code) => reject(new Error(`the packaged program ended with ${code}:\n${text}`)));
  });
  return { debuggingAddress, said: () => text };
}

async function firstPage(browser: Browser): Promise<Page> {
  const [context] = browser.contexts();
  const page = context?.pages()[0] ?? (await context?.waitForEvent('page', { timeout: 30_000 }));
  if (!page) throw new Error('the packaged program opened no window');
  await page.waitForSelector('.sidebar');
  return page;
}
