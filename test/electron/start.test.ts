/** `npm start` as a user types it (F2): the desktop window where there is a runtime and a screen, else browser mode, with the reason in one line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../../build/transpile.mjs';
import { assembleApp, desktopRuntime } from '../support/desktopApp.ts';
import { endGroup, startXvfb, watchGroup } from '../support/watchedProcess.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;
const folder = mkdtempSync(path.join(tmpdir(), 'prelora start '));
const started: ChildProcess[] = [];

interface Started {
  /** Waits until something said matches, and gives the match. */
  hears(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<number | null>;
  stop(): void;
}

function npmStart(env: Record<string, string | undefined>): Started {
  const child = spawn(process.execPath, [path.join(root, 'build', 'start.mjs')], {
    env: { ...process.env, PRELORA_DATA_DIR: path.join(folder, 'data'), XDG_CONFIG_HOME: path.join(folder, 'config'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  watchGroup(child);
  started.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => {
      said += text;
    });
  }
  return {
    async hears(pattern) {
      await expect.poll(() => said, { timeout: 60_000 }).toMatch(pattern);
      return pattern.exec(said) as RegExpExecArray;
    },
    ended: new Promise((resolve) => child.once('exit', resolve)),
    stop: () => void child.kill('SIGINT'),
  };
}

/** Playwright waits for ever for a page that comes into being while it connects. */
async function pageIsThere(debugged: string): Promise<void> {
  const urls = async () => {
    const targets = (await (await fetch(`http://${debugged}/json/list`)).json()) as { type: string; url: string }[];
    return targets.filter(({ type }) => type === 'page').map(({ url }) => url);
  };
  await expect.poll(urls, { timeout: 60_000 }).toEqual([expect.stringMatching(/^app:\/\/workbench\//)]);
}

describe('npm start', () => {
  afterAll(async () => {
    for (const child of started) await endGroup(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  });

  it('opens browser mode where there is no screen, says so in one line, and serves the page at the address it prints', async () => {
    const { hears, ended, stop } = npmStart({ DISPLAY: undefined, WAYLAND_DISPLAY: undefined });
    const [line] = await hears(/^No desktop app: .*$/m);
    expect(line).toBe('No desktop app: there is no screen (DISPLAY is not set). Opening browser mode instead.');
    const [address] = await hears(/http:\/\/127\.0\.0\.1:\d+\/\S+/);
    const page = await fetch(address);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<title>PreLoRA Workbench</title>');
    stop();
    expect(await ended).toBe(130);
  });

  it.skipIf(why !== null)(`opens the desktop window${why ? ` (skipped: ${why})` : ''}, and ends with it`, async () => {
    const screen = await startXvfb();
    const electron = assembleApp(path.dirname((runtime as { binary: string }).binary), path.join(folder, 'runtime'));
    const wrapper = path.join(folder, 'electron with a debugging port');
    writeFileSync(wrapper, `#!/bin/sh\nexec '${electron}' --remote-debugging-port=0 --disable-gpu "$@"\n`);
    chmodSync(wrapper, 0o755);
    const { hears, ended } = npmStart({ ELECTRON_PATH: wrapper, DISPLAY: screen.display });
    const [, address] = await hears(/DevTools listening on (ws:\S+)/);
    await pageIsThere(new URL(address as string).host);
    const browser = await chromium.connectOverCDP(address as string, { noDefaults: true });
    const page = browser.contexts()[0]?.pages()[0] ?? (await browser.contexts()[0]?.waitForEvent('page'));
    await page?.getByRole('button', { name: 'Run the sample' }).first().waitFor();
    expect(page?.url()).toMatch(/^app:\/\/workbench\//);
    await page?.close();
    expect(await ended).toBe(0);
    screen.close();
  });
});
