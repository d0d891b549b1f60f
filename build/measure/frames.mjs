/**
 * P11 and the page's share of P12 (benchmarks.md), as a user would meet them: the built page in Chromium, over the WebSocket of browser
 * mode, with a run of 24 layers × 6 families × 5,000 snapshots and 100,000 steps. Prints the frames of each stretch and one line of JSON.
 * The run is made of formulas in this process, and the engine's replay is answered from memory: what is measured is the page.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildPage, launch } from '../scriptedPage.mjs';
import { root, transpile } from '../transpile.mjs';

const FRAME_LIMIT_MS = 50;
const LIVE_FRAME_MS = 50;
const LIVE_SECONDS = 10;

const { startServer } = await served();
const engine = await largeRun();
const ports = new Set();
const server = await startServer({ page: path.join(root, 'dist', 'renderer'), host: '127.0.0.1', port: 0, token: null, onPage: serve });
await buildPage();
const browser = await launch();
const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
await page.addInitScript(recordFrames);
page.on('pageerror', (error) => console.error(String(error)));
page.on('console', (message) => message.type() === 'error' && console.error(message.text()));

const stretches = [];
await page.goto(server.address);
await page.getByText('large').first().waitFor();
await stretch('load', () => openRun('live'));
await stretch('crosshair over the charts', () => wander('application'));
await stretch('zoom and back', zoom);
await stretch(`live at ${1000 / LIVE_FRAME_MS} frames/s`, live);
await stretch('reload from another screen', async () => {
  await page.evaluate(() => (location.hash = '#/runs'));
  await openRun('live');
});
await stretch('layers: through all snapshots', async () => {
  await openRun('layers');
  const slider = page.getByRole('slider', { name: 'Snapshot' });
  await slider.focus();
  for (let i = 0; i < 40; i++) await page.keyboard.press(i < 20 ? 'ArrowLeft' : 'PageDown');
});

const worst = Math.max(...stretches.map(({ longestMs }) => longestMs));
console.log(`no frame over ${FRAME_LIMIT_MS} ms: ${worst <= FRAME_LIMIT_MS ? 'yes' : `no, the longest took ${worst} ms`}`);
console.log(JSON.stringify({ name: 'frames', stretches }));
await browser.close();
await server.close();

async function served() {
  await transpile();
  return import(pathToFileURL(path.join(root, 'dist', 'main', 'server', 'server.js')).href);
}

async function largeRun() {
  const from = (name) => JSON.stringify(path.join(root, 'test', 'e2e', 'scripted', name));
  const { outputFiles } = await build({
    stdin: { contents: `export * from ${from('engine.ts')}; export * from ${from('plans.ts')};`, resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    logLevel: 'warning',
  });
  const file = path.join(root, 'dist', 'scriptedEngine.mjs');
  writeFileSync(file, outputFiles[0].text);
  const { ScriptedEngine, plansOf } = await import(pathToFileURL(file).href);
  const made = new ScriptedEngine(plansOf('large'));
  const replayed = await made.handlers.replay({ runId: 'large', settings: {} });
  made.handlers.replay = async () => replayed;
  return made;
}

/** One page's requests and pushes. */
function serve(port) {
  ports.add(port);
  port.onClose(() => ports.delete(port));
  port.onMessage(async ({ id, name, arg }) => port.post({ id, ...(await engine.bridge.request(name, arg)) }));
  for (const event of ['run:frame', 'runs:changed']) engine.bridge.on(event, (payload) => port.post({ event, payload }));
}

/** Runs in the page: the time between frames, and tasks that held it up. */
function recordFrames() {
  window.frameTimes = [];
  let last = null;
  const tick = (now) => {
    if (last !== null) window.frameTimes.push(now - last);
    last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

async function stretch(name, act) {
  await page.waitForTimeout(500);
  await page.evaluate(() => (window.frameTimes.length = 0));
  const started = performance.now();
  await act();
  const seconds = (performance.now() - started) / 1000;
  await page.waitForTimeout(300);
  const times = (await page.evaluate(() => window.frameTimes)).sort((a, b) => a - b);
  const at = (share) => Math.round(10 * (times[Math.floor(share * (times.length - 1))] ?? 0)) / 10;
  const found = { name, seconds: Number(seconds.toFixed(2)), frames: times.length, medianMs: at(0.5), p95Ms: at(0.95), longestMs: at(1) };
  stretches.push({ ...found, over: times.filter((ms) => ms > FRAME_LIMIT_MS).length });
  console.log(
    `${name.padEnd(32)} ${found.seconds.toFixed(2).padStart(6)} s  ${String(found.frames).padStart(5)} frames, median ${found.medianMs} ms, 95 % ${found.p95Ms} ms, longest ${found.longestMs} ms`,
  );
}

async function openRun(tab) {
  await page.evaluate((to) => (location.hash = `#/run/large/${to}`), tab);
  await page.locator('canvas, [data-cell]').first().waitFor();
}

/** The pointer across every chart and the heatmap. */
async function wander(role) {
  for (const chart of await page.getByRole(role).all()) {
    const box = await chart.boundingBox();
    if (!box) continue;
    for (let i = 0; i <= 30; i++) await page.mouse.move(box.x + 60 + (i / 30) * (box.width - 120), box.y + box.height / 2);
  }
  await page.mouse.move(0, 0);
}

async function zoom() {
  for (const name of ['Zoom in', 'Zoom in', 'Zoom in', 'Zoom out', 'Zoom out', 'Zoom out']) {
    await page.getByRole('button', { name }).click();
    await page.waitForTimeout(150);
  }
}

async function live() {
  const timer = setInterval(() => engine.tick('large', 10), LIVE_FRAME_MS);
  await page.waitForTimeout(1000 * LIVE_SECONDS);
  clearInterval(timer);
}
