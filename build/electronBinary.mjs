/**
 * The Electron binary of the checkout: where ELECTRON_PATH or ELECTRON_OVERRIDE_DIST_PATH say, in node_modules, or fetched now by electron's own
 * installer. A download that failed is not tried again for a day, so that a machine without network starts at once.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './transpile.mjs';

const packageFolder = path.join(root, 'node_modules', 'electron');
const failure = path.join(root, 'dist', 'electron-not-fetched');
const DOWNLOAD_MS = 120_000;
const DAY_MS = 24 * 3600 * 1000;

/** `{ binary }`, or `{ why }` in words when there is none and none can be had. */
export function findElectron({ env = process.env, say = console.error } = {}) {
  const given = env.ELECTRON_PATH ?? (env.ELECTRON_OVERRIDE_DIST_PATH && path.join(env.ELECTRON_OVERRIDE_DIST_PATH, executableName()));
  if (given) return existsSync(given) ? { binary: given } : { why: `${given} is not there` };
  if (!existsSync(packageFolder)) return { why: 'the electron package is not installed (npm ci)' };
  return installed() ?? fetchNow(say);
}

function installed() {
  const pathFile = path.join(packageFolder, 'path.txt');
  if (!existsSync(pathFile)) return null;
  const binary = path.join(packageFolder, 'dist', readFileSync(pathFile, 'utf8'));
  return existsSync(binary) ? { binary } : null;
}

function fetchNow(say) {
  if (existsSync(failure) && Date.now() - statSync(failure).mtimeMs < DAY_MS) {
    return { why: `its download failed within the last day; delete ${path.relative(root, failure)} to try again` };
  }
  say('Fetching the Electron runtime, once (about 110 MB) …');
  const installer = path.join(packageFolder, 'install.js');
  const { status } = spawnSync(process.execPath, [installer], { stdio: 'ignore', timeout: DOWNLOAD_MS });
  const found = status === 0 ? installed() : null;
  if (found) {
    rmSync(failure, { force: true });
    return found;
  }
  mkdirSync(path.dirname(failure), { recursive: true });
  writeFileSync(failure, '');
  return { why: 'the Electron runtime cannot be downloaded here' };
}

function executableName() {
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return process.platform === 'win32' ? 'electron.exe' : 'electron';
}
