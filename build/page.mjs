/** renderer/ → dist/renderer with Vite, unless nothing it is made from is newer. Exports `buildPage()`; runs it when started. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './transpile.mjs';

const built = path.join(root, 'dist', 'renderer', 'index.html');

/** What licences.json is made from, beside the packages themselves. */
const LICENCE_SOURCES = ['package-lock.json', 'build/licences.mjs', 'LICENSE'];

export async function buildPage() {
  if (!isFresh()) await buildAnew();
}

/**
 * As it is shipped, wherever it is built: Vitest sets NODE_ENV to "test", by which Svelte would come in its development build, which is slower
 * and keeps a trace of every change.
 */
export async function buildAnew() {
  const { build } = await import('vite');
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    await build({ configFile: path.join(root, 'renderer', 'vite.config.ts'), logLevel: 'warn' });
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
}

function isFresh() {
  if (!existsSync(built)) return false;
  const since = statSync(built).mtimeMs;
  const files = ['renderer', 'main/protocol'].flatMap((folder) => filesBelow(path.join(root, folder)));
  return [...files, ...LICENCE_SOURCES.map((name) => path.join(root, name))].every((file) => statSync(file).mtimeMs <= since);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await buildPage();
