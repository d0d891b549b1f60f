#!/usr/bin/env node
/**
 * `npm start`: builds what is stale, gets the native engine once, and opens the desktop app; where there is no Electron or no screen it says so
 * in one line and opens browser mode. `npm start -- --browser` chooses browser mode, with the arguments of `prelora serve`.
 */
import { openDesktop } from './desktop.mjs';
import { buildPage } from './page.mjs';
import { transpile } from './transpile.mjs';

const args = process.argv.slice(2);
await transpile();
await buildPage();
await getEngine();

const { why, code } = args.length > 0 ? { why: '' } : await openDesktop();
if (why) console.error(`No desktop app: ${why}. Opening browser mode instead.`);
if (why === undefined) process.exitCode = code;
else await startBrowserMode(args.filter((arg) => arg !== '--browser'));

/** Gets the engine when nothing is there yet; the program works without it, only slower. */
async function getEngine() {
  const { ensureEngine } = await import('../dist/main/engine/ensure.js');
  const { progressPrinter } = await import('../dist/main/engine/progressLines.js');
  const { engine, why: reason } = await ensureEngine({ onProgress: progressPrinter(process.stderr) });
  if (!engine) console.error(`No native engine, so training uses wasm, which is slower: ${reason}`);
}

async function startBrowserMode(serveArguments) {
  const { main } = await import('../dist/main/cli/prelora.js');
  process.exitCode = await main(['serve', ...serveArguments]);
}
