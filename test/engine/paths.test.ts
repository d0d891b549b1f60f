import path from 'node:path';
import { expect, test } from 'vitest';
import { enginesRoot } from '../../main/engine/paths.ts';

test.each([
  ['the override', { PRELORA_ENGINES_DIR: '/elsewhere/engines', XDG_DATA_HOME: '/data' }, 'linux', '/elsewhere/engines'],
  ['XDG_DATA_HOME', { HOME: '/home/ada', XDG_DATA_HOME: '/data' }, 'linux', '/data/prelora-workbench/engines'],
  [
    'HOME where XDG_DATA_HOME is relative',
    { HOME: '/home/ada', XDG_DATA_HOME: 'data' },
    'linux',
    '/home/ada/.local/share/prelora-workbench/engines',
  ],
  ['the Library on macOS', { HOME: '/Users/ada' }, 'darwin', '/Users/ada/Library/Application Support/prelora-workbench/engines'],
  ['LOCALAPPDATA on Windows', { LOCALAPPDATA: '/c/local' }, 'win32', '/c/local/prelora-workbench/engines'],
] as const)('engines live under %s', (_, env, platform, expected) => {
  expect(enginesRoot(env, platform)).toBe(path.normalize(expected));
});

test("a missing HOME is no obstacle: the system's user list knows the home directory", () => {
  expect(path.isAbsolute(enginesRoot({}, 'linux'))).toBe(true);
});
