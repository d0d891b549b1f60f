/**
 * The built page in Chromium on the real engine host in browser mode, one server and one browser for a test file. Beside the page stands an
 * engine client of the test's own: it sets a scene in one request, while what is under test goes through the page.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { WebSocket } from 'ws';
import { launch } from '../../../build/scriptedPage.mjs';
import { portOver } from '../../../main/host/port.ts';
import { createClient } from '../../../main/host/rpc.ts';
import type { PageClient } from '../../support/engineHost.ts';

const root = path.resolve(import.meta.dirname, '../../..');

export interface RealBrowser {
  /** The test's own way to the engine. */
  readonly engine: PageClient;
  /** Process id of the server. */
  readonly pid: number;
  /** Opens the page, on a run's tab when one is named. Closed after the test. */
  open(runId?: string, tab?: string): Promise<Page>;
  /** Folder of the run. */
  folderOf(runId: string): Promise<string>;
  /** Starts a run by the engine client and waits until it is live. */
  start(config: unknown): Promise<{ runId: string; dir: string }>;
  /** Ends the server as Ctrl+C does and serves the same data again, at another address: open pages stay behind. */
  restart(): Promise<void>;
}

/** Call it inside a describe. `env` is added to the server's environment. */
export function realBrowser(env: Record<string, string> = {}): RealBrowser {
  const dataRoot = mkdtempSync(path.join(os.tmpdir(), 'prelora-page-'));
  const opened: Page[] = [];
  let server: { child: ChildProcess; address: URL };
  let browser: Browser;
  let engine: PageClient;

  const begin = async (): Promise<void> => {
    server = await serve({ PRELORA_DATA_DIR: dataRoot, ...env });
    engine = await connect(server.address);
  };
  beforeAll(async () => {
    [browser] = await Promise.all([launch(), begin()]);
  });
  afterEach(async () => {
    for (const page of opened.splice(0)) await page.context().close();
    const active = (await engine.request('runs:list', {})).filter(({ status }) => ['running', 'paused'].includes(status.status));
    for (const { runId } of active) await engine.request('run:stop', { runId, discard: true });
  });
  afterAll(async () => {
    await browser?.close();
    await ended(server?.child);
    rmSync(dataRoot, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });

  const folderOf = async (runId: string): Promise<string> => {
    const { summary } = await engine.request('run:state', { runId });
    return summary.dir;
  };
  return {
    get engine() {
      return engine;
    },
    get pid() {
      return server.child.pid as number;
    },
    folderOf,
    async open(runId, tab = 'live') {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', timezoneId: 'UTC' });
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      opened.push(page);
      const { address } = server;
      await page.goto(address.href);
      await page.waitForSelector('.sidebar');
      if (runId !== undefined) await page.goto(`${address.origin}/#/run/${runId}/${tab}`);
      return page;
    },
    async start(config) {
      const { runId } = await engine.request('run:start', { config });
      return { runId, dir: await folderOf(runId) };
    },
    async restart() {
      await ended(server.child);
      await begin();
    },
  };
}

/** `prelora serve` on a free port; gives the address with its token. */
async function serve(env: Record<string, string>): Promise<{ child: ChildProcess; address: URL }> {
  const child = spawn(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'serve', '--port', '0'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (text: Buffer) => resolve(String(text).trim()));
    child.once('exit', (code) => reject(new Error(`prelora serve ended with ${code}`)));
  });
  return { child, address: new URL(address) };
}

async function connect(address: URL): Promise<PageClient> {
  const token = new URLSearchParams(address.hash.slice(1)).get('token') ?? '';
  const socket = new WebSocket(`ws://${address.host}/socket?token=${token}`);
  const { port, deliver, closed } = portOver({ send: (message) => socket.send(JSON.stringify(message)), shut: () => socket.close() });
  socket.on('message', (data) => deliver(JSON.parse(String(data))));
  socket.on('close', () => closed('closed'));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return createClient(port);
}

/** Ctrl+C: runs write a checkpoint first. */
async function ended(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await gone;
}

/** What a panel's table shows, as full values: turns the panel over if it shows its chart. */
export async function tableOf(page: Page, title: string): Promise<string[][]> {
  const button = page.getByRole('button', { name: `${title}: table` });
  const region = page.getByRole('region', { name: `${title}, table` });
  await button.or(region).waitFor();
  if (await button.isVisible()) await button.click();
  await region.waitFor();
  return region.locator('tbody tr').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.title)));
}

/** Waits until the run's header shows this status or phase; a run may take its time to get there. */
export async function waitForStatus(page: Page, words: string): Promise<void> {
  await page.locator('header.head').getByText(words, { exact: true }).waitFor({ timeout: 90_000 });
}
