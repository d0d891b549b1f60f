import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testAddon } from '../../main/engine/addon.ts';
import { besideArchive } from '../../main/engine/compiler.ts';
import { findEngine } from '../../main/engine/installed.ts';
import { RoadClosed } from '../../main/engine/installProgress.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const context = { onProgress: () => {}, signal: new AbortController().signal };

/** A folder laid out like an engine's, whose addon is this JavaScript or whatever else `text` is. */
function folderWithAddon(name: string, text: string): string {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'lib', 'napi-v8'), { recursive: true });
  writeFileSync(path.join(folder, 'lib', 'napi-v8', name), text);
  return folder;
}

describe('the test of a new engine refuses', () => {
  test('an addon that is no library, with what the linker says', async () => {
    const failure = testAddon(folderWithAddon('tfjs_binding.node', 'no library'), context);
    await expect(failure).rejects.toBeInstanceOf(RoadClosed);
    await expect(failure).rejects.toThrow(/the engine does not work here: .*Error/);
  });

  test('a missing addon', async () => {
    await expect(testAddon(temporaryFolder(), context)).rejects.toThrow(/the engine does not work here/);
  });
});

const installed = findEngine('cpu');
test.skipIf(!installed)('an installed engine passes the test it was installed with (skipped where none is installed)', async () => {
  expect(await testAddon(installed!.folder, context)).toEqual({ version: installed!.manifest.version, onGpu: false });
});

test('a compiler is sent to the copies beside a packaged program’s archive, and elsewhere to the package itself', () => {
  const packed = path.join('/opt', 'app', 'resources', 'app.asar', 'node_modules', 'headers');
  expect(besideArchive(packed)).toBe(path.join('/opt', 'app', 'resources', 'app.asar.unpacked', 'node_modules', 'headers'));
  expect(besideArchive('/home/a/node_modules/headers')).toBe('/home/a/node_modules/headers');
});
