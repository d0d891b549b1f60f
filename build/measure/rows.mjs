/**
 * "1 M metric rows open ≤ 2 s" (product.md section 2.13): a run folder of a million lines of metrics on the real host in browser mode, from
 * the click to the frame that shows its curves. The host is the same process throughout, as it is for a user who opens one run after another.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeLongRun } from '../longRun.mjs';
import { buildPage, launch } from '../scriptedPage.mjs';
import { root } from '../transpile.mjs';
import { summary } from './summary.mjs';

const LIMIT_MS = 2000;
const ROWS = 1_000_000;
const WARM_UPS = 1;
const ROUNDS = 5;

await buildPage();
const folder = mkdtempSync(path.join(os.tmpdir(), 'prelora-rows-'));
const server = spawn(process.execPath, [path.join(root, 'build', 'prelora.mjs'), 'serve', '--port', '0'], {
  env: { ...process.env, PRELORA_DATA_DIR: folder },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  makeLongRun(path.join(folder, 'runs', 'long'), { steps: ROWS, snapshotEvery: 1000, stepsPerEpoch: 10_000 });
  const address = await new Promise((resolve) => server.stdout.once('data', (text) => resolve(String(text).trim())));
  const browser = await launch();
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' })).newPage();
  await page.goto(address);
  await page.locator('[data-row]').first().waitFor();
  const times = [];
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    const ms = await page.evaluate(openAndTime, ROWS.toLocaleString('en-US'));
    if (round >= WARM_UPS) times.push(ms);
  }
  await browser.close();
  const { medianMs, ...found } = summary(times);
  console.log(
    `${ROWS.toLocaleString('en-US')} rows opened: median ${medianMs} ms (${found.fastestMs} … ${found.slowestMs}, ${found.times} times)`,
  );
  console.log(`within ${LIMIT_MS} ms: ${medianMs <= LIMIT_MS ? 'yes' : 'no'}`);
  console.log(JSON.stringify({ name: 'rows', rows: ROWS, medianMs, ...found }));
} finally {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGINT');
  await ended;
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
}

/** Runs in the page, on the runs' table: a click on the run, the frame with its curves, and back. */
async function openAndTime(lastStep) {
  const frame = () => new Promise(requestAnimationFrame);
  const link = document.querySelector('[data-row] a');
  const started = performance.now();
  link.click();
  const isDrawn = () =>
    document.querySelector('[role="application"][aria-label^="Loss"] canvas') && document.body.innerText.includes(lastStep);
  while (!isDrawn()) await frame();
  await frame();
  await frame();
  const ms = performance.now() - started;
  window.location.hash = '#/runs';
  while (!document.querySelector('[data-row]')) await frame();
  return ms;
}
