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
import { askOverBridge, type BridgeAnswer } from './desktopApp.ts';
import { endGroup, startXvfb, watchGroup } from './watchedProcess.ts';

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
  /** Another one after `unwatched`. */
  readonly page: Page;
  /** Leads the group of its processes. */
  pid: number;
  dataDir: string;
  /** All that it and its processes have said. */
  said(): string;
  ask(name: string, arg: unknown): Promise<BridgeAnswer>;
  /**
   * Does something with nobody attached to the page, and looks at it again afterwards: a page that crashes under Playwright's eyes stays
   * crashed for it, whatever the program does.
   */
  unwatched(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface StartOptions {
  args?: string[];
  env?: Record<string, string>;
}

export async function startPackagedApp(executable: string, { args = [], env = {} }: StartOptions = {}): Promise<PackagedApp> {
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora packaged '));
  const screen = process.env.DISPLAY ? null : await startXvfb();
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
    detached: true,
  });
  watchGroup(child);
  const output = collect(child);
  const close = async (): Promise<void> => {
    await endGroup(child);
    screen?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  };
  const look = async (): Promise<View> => lookAt(await output.debuggingAddress);
  let view = await look().catch(async (error) => {
    await close();
    throw error;
  });
  return {
    get page() {
      return view.page;
    },
    pid: child.pid as number,
    dataDir,
    said: output.said,
    ask: (name, arg) => askOverBridge(view.page, name, arg),
    async unwatched(work) {
      await view.browser.close();
      await work();
      view = await look();
    },
    close,
  };
}

interface View {
  browser: Browser;
  page: Page;
}

async function lookAt(address: string): Promise<View> {
  const browser = await attach(address);
  return { browser, page: await firstPage(browser) };
}

/** Attaching was seen to hang while a program starts on a busy machine, and to work at the next try. */
async function attach(address: string, triesLeft = 3): Promise<Browser> {
  try {
    // Without noDefaults Playwright sets a download folder, which Electron has not.
    return await chromium.connectOverCDP(address, { noDefaults: true, timeout: 20_000 });
  } catch (error) {
    if (triesLeft <= 1) throw error;
    return attach(address, triesLeft - 1);
  }
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
  const page = context?.pages()[0] ?? (await context?.waitForEvent('page', { timeout: 60_000 }));
  if (!page) throw new Error('the packaged program opened no window');
  await page.waitForSelector('.sidebar');
  return page;
}
