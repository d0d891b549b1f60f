#!/usr/bin/env node
/**
 * `npm start`: builds what is stale, gets the native engine once, and opens the desktop app; where there is no Electron or no screen it says so
 * in one line and opens browser mode. `npm start -- --browser` chooses browser mode, with the arguments of `prelora serve`.
 */
import { spawn } from 'node:child_process';
import { findElectron } from './electronBinary.mjs';
import { buildPage } from './page.mjs';
import { buildShell } from './shell.mjs';
import { root, transpile } from './transpile.mjs';

const args = process.argv.slice(2);
await transpile();
await buildPage();
await getEngine();

const why = args.length > 0 ? null : await startDesktop();
if (why) console.error(`No desktop app: ${why}. Opening browser mode instead.`);
if (why !== undefined) await startBrowserMode(args.filter((arg) => arg !== '--browser'));

/** Gets the engine when nothing is there yet; the program works without it, only slower. */
async function getEngine() {
  const { ensureEngine } = await import('../dist/main/engine/ensure.js');
  const { progressPrinter } = await import('../dist/main/engine/progressLines.js');
  const { engine, why: reason } = await ensureEngine({ onProgress: progressPrinter(process.stderr) });
  if (!engine) console.error(`No native engine, so training uses wasm, which is slower: ${reason}`);
}

/** Undefined when the app was opened and has ended, else why it was not. */
async function startDesktop() {
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY)
    return 'there is no screen (DISPLAY is not set)';
  const { binary, why: reason } = findElectron();
  if (!binary) return reason;
  await buildShell();
  // As root Chromium refuses to start with its sandbox: containers, where there is no other user.
  const flags = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(binary, [...flags, root], { stdio: 'inherit' });
  const ended = await new Promise((resolve) => {
    child.once('error', (error) => resolve({ error: error.message }));
    child.once('exit', (code) => resolve({ code }));
  });
  if (ended.error) return `the Electron runtime does not start (${ended.error})`;
  process.exitCode = ended.code ?? 0;
  return undefined;
}

async function startBrowserMode(serveArguments) {
  const { main } = await import('../dist/main/cli/prelora.js');
  process.exitCode = await main(['serve', ...serveArguments]);
}
