#!/usr/bin/env node
/**
 * `npm run measure`: P12 of the benchmarks. Times the packaged program from its start to a usable window (the runs are listed), and from the
 * click on a run of 100,000 steps to its curves. Three starts, the median is the figure; the first is told too, because files are cold then.
 * Uses dist/package as it is, and makes it where there is none; `-- --electron FILE` always packs anew, round that runtime.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { findElectron } from './electronBinary.mjs';
import { makeLongRun } from './longRun.mjs';
import { makePackage, unpackedFolder } from './package.mjs';
import { root } from './transpile.mjs';

const STARTS = 3;
const executable = path.join(unpackedFolder(path.join(root, 'dist', 'package')), 'prelora-workbench');
const { values } = parseArgs({ options: { electron: { type: 'string' } } });

async function packIfNeeded() {
  if (existsSync(executable) && !values.electron) return;
  const { binary, why } = values.electron ? { binary: values.electron } : findElectron();
  if (!binary) throw new Error(`there is nothing to measure: ${why}`);
  await makePackage({ dir: true, electron: binary });
}

/** One start with the data root given: times, and the page to go on with. */
async function start(dataDir) {
  const begun = Date.now();
  const flags = ['--remote-debugging-port=0', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  const env = { ...process.env, PRELORA_DATA_DIR: dataDir, XDG_CONFIG_HOME: path.join(dataDir, 'config') };
  const child = spawn(executable, flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const address = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    child.once('exit', (code) => reject(new Error(`the program ended with ${code}: ${said}`)));
  });
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  const [context] = browser.contexts();
  const page = context.pages()[0] ?? (await context.waitForEvent('page'));
  // The page marks the moment itself, so that our own way to it does not count.
  const marked = await page.waitForFunction(() => {
    const [mark] = performance.getEntriesByName('usable');
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    return mark && { usable: performance.timeOrigin + mark.startTime, paint: performance.timeOrigin + (paint?.startTime ?? Number.NaN) };
  });
  const { usable, paint } = await marked.jsonValue();
  const stop = () =>
    new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  return { page, usableMs: usable - begun, paintMs: paint - begun, stop };
}

/** From the click on its row to the frame that shows the run's curves. */
async function openLongRun(page) {
  const row = page.locator('[data-row]').first();
  await row.waitFor();
  return page.evaluate(async () => {
    const begun = performance.now();
    window.location.hash = document.querySelector('a[href*="#/run/"]').getAttribute('href');
    const isDrawn = () =>
      document.querySelector('[role="application"][aria-label^="Loss"] canvas') && document.body.innerText.includes('100,000');
    while (!isDrawn()) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return performance.now() - begun;
  });
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
  throw new Error('there is no screen to open a window on: set DISPLAY, or start under xvfb-run');
}
await packIfNeeded();
const folder = mkdtempSync(path.join(os.tmpdir(), 'prelora-measure-'));
try {
  makeLongRun(path.join(folder, 'runs', 'long'));
  const starts = [];
  for (let i = 0; i < STARTS; i++) {
    const started = await start(folder);
    starts.push({ ...started, openMs: await openLongRun(started.page) });
    await started.stop();
  }
  const of = (name) => starts.map((one) => one[name]);
  console.log(
    `start to usable window: ${seconds(median(of('usableMs')))} (first ${seconds(of('usableMs')[0])}; first paint ${seconds(median(of('paintMs')))})`,
  );
  console.log(`reopening a run of 100,000 steps: ${seconds(median(of('openMs')))} (first ${seconds(of('openMs')[0])})`);
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
}
