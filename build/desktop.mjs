/** Opens the desktop app and waits for its end, or says why there is none: what `npm start` needs to know to open browser mode instead. */
import { spawn } from 'node:child_process';
import { findElectron } from './electronBinary.mjs';
import { buildShell } from './shell.mjs';
import { root } from './transpile.mjs';

/** A runtime that fails within this time never had a window: no screen behind DISPLAY, no sandbox, a missing library. */
const STARTED_MS = 10_000;

/** `{ code }`, the exit code of an app that was there, or `{ why }` in words. */
export async function openDesktop({ env = process.env, platform = process.platform, find = findElectron, prepare = buildShell } = {}) {
  if (platform === 'linux' && !env.DISPLAY && !env.WAYLAND_DISPLAY) return { why: 'there is no screen (DISPLAY is not set)' };
  const { binary, why } = find({ env });
  if (!binary) return { why };
  await prepare();
  // As root Chromium refuses to start with its sandbox: containers, where there is no other user.
  const flags = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const begun = performance.now();
  const child = spawn(binary, [...flags, root], { stdio: 'inherit', env });
  const { error, code, signal } = await new Promise((resolve) => {
    child.once('error', (fault) => resolve({ error: fault.message }));
    child.once('exit', (status, killedBy) => resolve({ code: status, signal: killedBy }));
  });
  if (error) return { why: `the Electron runtime does not start (${error})` };
  const hasFailed = code !== 0 && performance.now() - begun < STARTED_MS;
  return hasFailed ? { why: `the Electron runtime ended at once (${signal ?? `code ${code}`})` } : { code: code ?? 1 };
}
