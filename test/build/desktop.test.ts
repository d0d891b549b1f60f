/** Whether `npm start` opens the desktop app, with stand-ins for the Electron binary; test/electron/start.test.ts starts the real one. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDesktop } from '../../build/desktop.mjs';
import { findElectron } from '../../build/electronBinary.mjs';
import { root } from '../../build/transpile.mjs';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const prepare = async (): Promise<void> => {};
const SCREEN = { ...process.env, DISPLAY: ':0' };

/** A program in place of Electron's. */
function standIn(script: string): string {
  const file = path.join(temporaryFolder(), 'electron');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe.skipIf(process.platform === 'win32')('the desktop app', () => {
  it('is started with this checkout, and its exit code is given back', async () => {
    const told = path.join(temporaryFolder(), 'arguments');
    const binary = standIn(`printf '%s\\n' "$@" > '${told}'`);
    expect(await openDesktop({ env: { ...SCREEN, ELECTRON_PATH: binary }, prepare })).toEqual({ code: 0 });
    expect(readFileSync(told, 'utf8').trim().split('\n').at(-1)).toBe(root);
  });

  it('is not there without a screen, without a runtime, or when the runtime fails at once; each reason is one line', async () => {
    const noScreen = await openDesktop({ env: {}, platform: 'linux', prepare });
    const noRuntime = await openDesktop({ env: { ...SCREEN, ELECTRON_PATH: '/nowhere/electron' }, prepare });
    const noLibrary = await openDesktop({ env: { ...SCREEN, ELECTRON_PATH: standIn('exit 127') }, prepare });
    const noSandbox = await openDesktop({ env: { ...SCREEN, ELECTRON_PATH: standIn('kill -TRAP $$') }, prepare });
    const noProgram = await openDesktop({ find: () => ({ binary: root }), env: SCREEN, prepare });
    expect([noScreen, noRuntime, noLibrary, noSandbox].map(({ why }) => why)).toEqual([
      'there is no screen (DISPLAY is not set)',
      '/nowhere/electron is not there',
      'the Electron runtime ended at once (code 127)',
      'the Electron runtime ended at once (SIGTRAP)',
    ]);
    expect(noProgram.why).toMatch(/^the Electron runtime does not start \(spawn .* EACCES\)$/);
  });

  it('takes the runtime that ELECTRON_PATH or ELECTRON_OVERRIDE_DIST_PATH names before its own', () => {
    const binary = standIn('exit 0');
    expect(findElectron({ env: { ELECTRON_PATH: binary } })).toEqual({ binary });
    if (process.platform === 'linux')
      expect(findElectron({ env: { ELECTRON_OVERRIDE_DIST_PATH: path.dirname(binary) } })).toEqual({ binary });
  });
});
