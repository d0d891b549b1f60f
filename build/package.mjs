#!/usr/bin/env node
/**
 * `npm run package`: installers for this system into dist/package. `-- --dir` makes the unpacked program alone, which needs no network beyond
 * the registry; `--electron FILE` packs round that Electron binary and downloads none.
 * electron-builder is no dependency of the checkout: its 216 packages are installed beside its configuration, the first time.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { config } from './packaging/config.mjs';
import { buildPage } from './page.mjs';
import { buildShell } from './shell.mjs';
import { root } from './transpile.mjs';

const tools = path.join(root, 'build', 'packaging');

/** Folder of the unpacked program on this system, as electron-builder names it. */
export const unpackedFolder = (output) =>
  path.join(output, { linux: 'linux-unpacked', win32: 'win-unpacked', darwin: 'mac' }[process.platform]);

/** The packaging tools, installed when they are not there yet. Null where the registry cannot be reached. */
export function packagingTools() {
  const require = createRequire(path.join(tools, 'package.json'));
  if (!existsSync(path.join(tools, 'node_modules', 'electron-builder'))) {
    const { status } = spawnSync('npm', ['ci'], { cwd: tools, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    if (status !== 0) return null;
  }
  return require;
}

/** Version of an Electron binary, by its own word. */
export function electronVersionOf(binary) {
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  return execFileSync(binary, ['-p', 'process.versions.electron'], { env, encoding: 'utf8' }).trim();
}

/** Electron before 29 has no fuse for file://, and electron-builder refuses to set what is not there. */
function runtimeOf(binary) {
  const electronVersion = electronVersionOf(binary);
  const { grantFileProtocolExtraPrivileges, ...oldFuses } = config.electronFuses;
  const electronFuses = Number.parseInt(electronVersion, 10) < 29 ? oldFuses : config.electronFuses;
  return { electronDist: path.dirname(binary), electronVersion, electronFuses };
}

/** Packs, and gives back the paths of what was made. */
export async function makePackage({ dir = false, electron, output } = {}) {
  const require = packagingTools();
  if (!require) throw new Error('electron-builder cannot be installed: the package registry is not reachable');
  await buildPage();
  await buildShell();
  const { build, Platform } = require('electron-builder');
  return build({
    projectDir: root,
    targets: Platform.current().createTarget(dir ? 'dir' : null),
    publish: 'never',
    config: {
      ...config,
      ...(electron && runtimeOf(electron)),
      ...(output && { directories: { ...config.directories, output } }),
    },
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { dir: { type: 'boolean' }, electron: { type: 'string' } },
  });
  const { dir, electron } = values;
  const made = await makePackage({ dir, electron });
  for (const file of made) console.log(file);
  if (dir) console.log(unpackedFolder(path.join(root, 'dist', 'package')));
}
