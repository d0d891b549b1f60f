/**
 * The built shell in a real Electron, driven by Playwright. The runtime is the checkout's own, or the Electron 25 that electronRuntime.sh keeps
 * in the cache (see there); without one these tests are skipped, with the reason. A screen comes from DISPLAY, else from a fresh Xvfb.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { buildPage } from '../../build/page.mjs';
import { buildShell } from '../../build/shell.mjs';
import { endGroup, startXvfb, watchGroup } from './watchedProcess.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Path of an Electron binary that is already on this machine, or why there is none. Nothing is downloaded by a test. */
export function desktopRuntime(): { binary: string } | { why: string } {
  if (process.platform !== 'linux') return { why: 'the desktop tests run on Linux' };
  if (!process.env.DISPLAY && !findXvfb()) return { why: 'there is no screen: neither DISPLAY nor Xvfb' };
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(process.env.HOME ?? '', '.cache'), 'prelora-test-runtime');
  const candidates = [
    process.env.ELECTRON_PATH ?? '',
    path.join(ROOT, 'node_modules', 'electron', 'dist', 'electron'),
    path.join(cache, 'electron-25.1.1', 'electron'),
  ];
  const binary = candidates.find((candidate) => candidate !== '' && existsSync(candidate));
  return binary ? { binary } : { why: 'no Electron runtime; test/support/electronRuntime.sh fetches one' };
}

function findXvfb(): string | null {
  return (
    (process.env.PATH ?? '')
      .split(':')
      .map((folder) => path.join(folder, 'Xvfb'))
      .find(existsSync) ?? null
  );
}

export interface DesktopApp {
  app: ElectronApplication;
  page: Page;
  dataDir: string;
  /** One request over the bridge, as the page makes it. */
  ask(name: string, arg: unknown): Promise<BridgeAnswer>;
  /** Ends it by force, and removes what was installed for it alone. */
  close(): Promise<void>;
}

/** The app on a screen of its own, with its own data and settings; it can be started again and again. */
export interface DesktopInstallation {
  executable: string;
  dataDir: string;
  start(): Promise<DesktopApp>;
  /** What a user's second click does. Gives the exit code of that process. */
  startBeside(): Promise<number | null>;
  remove(): void;
}

/** Starts the app from a copy of the runtime, whose `resources/app` is this checkout. */
export async function startDesktopApp(binary: string): Promise<DesktopApp> {
  const installation = await installDesktop(binary);
  const desktop = await installation.start().catch((error) => {
    installation.remove();
    throw error;
  });
  return {
    ...desktop,
    async close() {
      await desktop.close();
      installation.remove();
    },
  };
}

const FLAGS = ['--no-sandbox', '--disable-gpu'];
/** About a second alone on two cores; other work beside may cost many times that. */
const LAUNCH_MS = 60_000;

export async function installDesktop(binary: string): Promise<DesktopInstallation> {
  await buildPage();
  await buildShell();
  const folder = mkdtempSync(path.join(tmpdir(), 'prelora desktop '));
  const executablePath = assembleApp(path.dirname(binary), path.join(folder, 'runtime'));
  const screen = process.env.DISPLAY ? null : await startXvfb();
  const dataDir = path.join(folder, 'data');
  const env = {
    ...process.env,
    PRELORA_DATA_DIR: dataDir,
    XDG_CONFIG_HOME: path.join(folder, 'config'),
    ...(screen && { DISPLAY: screen.display }),
  } as Record<string, string>;
  return {
    executable: executablePath,
    dataDir,
    start: () => startInstalled(executablePath, dataDir, env),
    startBeside() {
      const child = spawn(executablePath, FLAGS, { env, stdio: 'ignore' });
      return new Promise((resolve) => child.once('exit', resolve));
    },
    remove() {
      screen?.close();
      // Children of the app may still be on their way out, writing.
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
    },
  };
}

async function startInstalled(executablePath: string, dataDir: string, env: Record<string, string>): Promise<DesktopApp> {
  const app = await _electron.launch({ executablePath, args: FLAGS, env, timeout: LAUNCH_MS });
  // Asked for now: Playwright no longer knows it once the app has ended.
  const process = app.process();
  watchGroup(process);
  try {
    const page = await app.firstWindow({ timeout: LAUNCH_MS });
    await page.waitForLoadState('load', { timeout: LAUNCH_MS });
    return { app, page, dataDir, ask: (name, arg) => askOverBridge(page, name, arg), close: () => endGroup(process) };
  } catch (error) {
    await endGroup(process);
    throw error;
  }
}

interface Bridge {
  workbench: { request(name: string, arg: unknown): Promise<BridgeAnswer & { text?: string }> };
}

export interface BridgeAnswer {
  ok: boolean;
  value?: unknown;
  error?: { code: string; message: string };
}

/** One request over the bridge, as the page makes it (renderer/transport/electron.ts): the engine's answers come as text. */
export async function askOverBridge(page: Page, name: string, arg: unknown): Promise<BridgeAnswer> {
  const { text, ...reply } = await page.evaluate(
    ([n, a]) => (globalThis as unknown as Bridge).workbench.request(n as string, a),
    [name, arg],
  );
  return text === undefined ? reply : { ok: true, value: JSON.parse(text) };
}

/** Hard links where the file system allows it: a runtime is 230 MB. The app itself is links to the checkout. */
export function assembleApp(from: string, to: string): string {
  copyTree(from, to);
  const app = path.join(to, 'resources', 'app');
  rmSync(app, { recursive: true, force: true });
  mkdirSync(app, { recursive: true });
  writeFileSync(path.join(app, 'package.json'), readFileSync(path.join(ROOT, 'package.json')));
  for (const name of ['dist', 'resources', 'node_modules']) symlinkSync(path.join(ROOT, name), path.join(app, name));
  return path.join(to, 'electron');
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = path.join(from, name);
    const target = path.join(to, name);
    if (statSync(source).isDirectory()) copyTree(source, target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    cpSync(source, target);
  }
}
