/**
 * The built page in a headless Chromium on a scripted engine: for the page's tests and the screenshots. The page is the one that is
 * shipped; only `window.workbench` is put in place before it starts, as the desktop's preload would.
 */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { buildAnew } from './page.mjs';
import { root } from './transpile.mjs';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const pageRoot = path.join(root, 'dist', 'renderer');

/** Builds dist/renderer with Vite, unless PRELORA_KEEP_PAGE says that it is fresh. */
export async function buildPage() {
  if (process.env.PRELORA_KEEP_PAGE && existsSync(path.join(pageRoot, 'index.html'))) return;
  await buildAnew();
}

/** One script that puts the scripted engine in place. */
export async function bundleEngine() {
  const result = await build({
    entryPoints: [path.join(root, 'test', 'e2e', 'scripted', 'install.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'chrome114',
    logLevel: 'warning',
  });
  return result.outputFiles[0].text;
}

/** The folder over HTTP on a free port of this machine. */
export async function servePage() {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = path.join(pageRoot, name === '/' ? 'index.html' : path.normalize(name));
    if (!file.startsWith(pageRoot) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

export function findChromium() {
  return ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file)) ?? null;
}

export async function launch() {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium found in /usr/bin');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] });
}

let scenes = 0;

/** The address of a scene: what the scripted engine is to play stands in the query. Never twice the same, so that it loads anew. */
export function sceneUrl(url, { route = '#/runs', scenario = 'full', latency = 0 }) {
  return `${url}?${new URLSearchParams({ scenario, latency, scene: ++scenes })}${route}`;
}

/**
 * Opens the page at a route. Gives the Playwright page and what the console complained about.
 * `theme` is light, dark, contrast or system; `scenario` full, empty, broken or large; `latency` delays every reply, in ms.
 */
export async function openPage(browser, { url, engine, route = '#/runs', theme = 'light', width = 1440, height = 900, ...rest }) {
  const { scenario, latency, ...context } = rest;
  const browserContext = await browser.newContext({
    viewport: { width, height },
    locale: 'en-US',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
    ...context,
  });
  await browserContext.addInitScript(`
    if (!localStorage.getItem('prelora.preferences')) localStorage.setItem('prelora.preferences', JSON.stringify({ theme: ${JSON.stringify(theme)} }));`);
  await browserContext.addInitScript(engine);
  const page = await browserContext.newPage();
  await page.clock.setFixedTime(new Date('2026-11-23T08:22:00Z'));
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(sceneUrl(url, { route, scenario, latency }));
  await page.waitForSelector('.sidebar');
  return { page, complaints, close: () => browserContext.close() };
}
