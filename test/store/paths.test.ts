import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { dataRoot, resourcesFolder, runsRoot, type Surroundings } from '../../main/store/paths.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

function on(platform: NodeJS.Platform, env: Record<string, string> = {}, home: () => string = () => '/home/zoë'): Surroundings {
  return { env, platform, home };
}

test('data lies where the platform keeps it', () => {
  expect(dataRoot(on('linux'))).toBe('/home/zoë/.local/share/prelora-workbench');
  expect(dataRoot(on('linux', { XDG_DATA_HOME: '/data' }))).toBe('/data/prelora-workbench');
  expect(dataRoot(on('darwin', { XDG_DATA_HOME: '/data' }))).toBe('/home/zoë/Library/Application Support/prelora-workbench');
  expect(dataRoot(on('win32'))).toBe('/home/zoë/AppData/Local/prelora-workbench');
  expect(dataRoot(on('win32', { LOCALAPPDATA: '/local' }))).toBe('/local/prelora-workbench');
});

test('PRELORA_DATA_DIR moves it', () => {
  expect(runsRoot(on('linux', { PRELORA_DATA_DIR: '/my data', XDG_DATA_HOME: '/data' }))).toBe('/my data/runs');
});

test('a relative XDG_DATA_HOME is ignored, as its specification says', () => {
  expect(dataRoot(on('linux', { XDG_DATA_HOME: 'data' }))).toBe('/home/zoë/.local/share/prelora-workbench');
});

test.each([
  ['an empty HOME', () => ''],
  [
    'no home at all',
    () => {
      throw new Error('ENOENT: uv_os_homedir');
    },
  ],
])('with %s there is still a place', (_, home) => {
  expect(path.dirname(dataRoot(on('linux', {}, home)))).toBe(tmpdir());
});

test('the resources are found from the sources and from dist', () => {
  const root = path.join(import.meta.dirname, '../..');
  expect(resourcesFolder()).toBe(path.join(root, 'resources'));
  expect(resourcesFolder(path.join(root, 'dist/main/store'))).toBe(path.join(root, 'resources'));
});

test('the resources of a packaged app are found from deep inside it', () => {
  const app = path.join(temporaryFolder(), 'resources/app.asar');
  mkdirSync(path.join(app, 'resources/presets'), { recursive: true });
  writeFileSync(path.join(app, 'package.json'), '{}');
  expect(resourcesFolder(path.join(app, 'dist/main/store'))).toBe(path.join(app, 'resources'));
});

test('an installation without resources says so', () => {
  expect(() => resourcesFolder('/')).toThrow('no resources/presets in any folder above /; the installation is incomplete');
});
