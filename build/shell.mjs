/**
 * electron/ → dist/electron: the shell, its preload and the utility process, each bundled to one CommonJS file, because the desktop tests run in
 * Electron 25 (Node 18), which starts no ES modules. Packages stay outside. Exports `buildShell()`; runs it when started.
 */
import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, sourcesBelow } from './transpile.mjs';

const outDir = path.join(root, 'dist', 'electron');
const stamp = path.join(outDir, '.stamp');

/** Files that are started by their path: the three of the shell, and the worker threads of the engine beside them. */
const NODE_ENTRIES = {
  app: 'electron/app.ts',
  hostEntry: 'electron/hostEntry.ts',
  trainerWorker: 'main/host/trainerWorker.ts',
  batchWorker: 'main/data/batchWorker.ts',
};

/** In a CommonJS bundle `import.meta.url` has no meaning of its own: it is the bundle's. */
const importMetaUrl = {
  define: { 'import.meta.url': '__bundleUrl' },
  banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
};

export async function buildShell() {
  const sources = [...sourcesBelow('electron'), ...sourcesBelow('main')];
  if (existsSync(stamp) && sources.every((file) => statSync(file).mtimeMs <= statSync(stamp).mtimeMs)) return;
  const started = new Date();
  const esbuild = await import('esbuild');
  const shared = { absWorkingDir: root, outdir: outDir, bundle: true, format: 'cjs', sourcemap: 'linked', logLevel: 'warning' };
  await esbuild.build({
    ...shared,
    ...importMetaUrl,
    entryPoints: NODE_ENTRIES,
    platform: 'node',
    target: 'node18',
    packages: 'external',
    // import() does not read from an asar before Electron 28; as require it does everywhere.
    supported: { 'dynamic-import': false },
  });
  await esbuild.build({
    ...shared,
    entryPoints: { preload: 'electron/preload.ts' },
    platform: 'browser',
    target: 'chrome114',
    external: ['electron'],
  });
  mkdirSync(outDir, { recursive: true });
  // The package at the root says "module"; these are not.
  writeFileSync(path.join(outDir, 'package.json'), '{ "type": "commonjs" }\n');
  writeFileSync(stamp, '');
  // What changed while we built is newer than the stamp.
  utimesSync(stamp, started, started);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await buildShell();
