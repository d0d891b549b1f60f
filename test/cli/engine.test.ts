import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { engineCommand } from '../../main/cli/engine.ts';
import type { InstallProgress } from '../../main/engine/install.ts';
import { hostPlatform } from '../../main/engine/installed.ts';
import { progressPrinter } from '../../main/engine/progressLines.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

let root: string;

beforeEach(() => {
  root = temporaryFolder();
  vi.stubEnv('PRELORA_ENGINES_DIR', root);
});
afterEach(() => vi.unstubAllEnvs());

/** Runs the command and gives what it printed on stdout. */
async function run(...args: string[]): Promise<string> {
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) };
  expect(await engineCommand(args, { stdout, stderr: { write: () => true } })).toBe(0);
  return printed;
}

function putEngine(variant: string): string {
  const folder = path.join(root, `tensorflow-1.0-${variant}`);
  mkdirSync(path.join(folder, 'deps'), { recursive: true });
  writeFileSync(path.join(folder, 'deps', 'library'), 'x'.repeat(10));
  const files = { 'deps/library': { bytes: 10, sha256: '0'.repeat(64) } };
  const manifest = {
    format: 1,
    variant,
    version: '1.0',
    platform: hostPlatform,
    source: 'test',
    addon: 'compiled',
    files,
    installedAt: '2026-01-01',
  };
  writeFileSync(path.join(folder, 'engine.json'), JSON.stringify(manifest));
  return folder;
}

test('status of an empty machine says where it looked, and that wasm is there', async () => {
  expect(await run('status')).toBe(`no native engine in ${root}; wasm is always there\n`);
  expect(JSON.parse(await run('status', '--json'))).toMatchObject({ root, installed: [] });
});

test('status --json lists engines with version, variant, size and folder, of one variant when asked', async () => {
  const folder = putEngine('cpu');
  putEngine('gpu');
  const { installed } = JSON.parse(await run('--json', '--cpu'));
  expect(installed).toEqual([expect.objectContaining({ variant: 'cpu', version: '1.0', bytes: 10, folder })]);
  expect(await run()).toContain(`tensorflow 1.0 cpu, 0 MB, in ${folder}`);
});

test('install gives the engine that is there', async () => {
  const folder = putEngine('cpu');
  expect(JSON.parse(await run('install', '--json'))).toMatchObject({ variant: 'cpu', version: '1.0', folder });
});

test('remove takes one variant or all away, and says so', async () => {
  const cpu = putEngine('cpu');
  const gpu = putEngine('gpu');
  cpSync(cpu, path.join(root, 'not an engine'), { recursive: true });
  expect(JSON.parse(await run('remove', '--gpu', '--json'))).toEqual({ removed: [gpu] });
  expect(await run('remove')).toBe(`removed ${cpu}\n`);
  expect(await run('remove')).toBe('there was no engine to remove\n');
});

test.each([
  [['instal'], /engine instal: the action must be status, install or remove/],
  [['toString'], /the action must be/],
  [['status', 'now'], /unexpected argument now/],
  [['install', '--cpu', '--gpu'], /--cpu and --gpu exclude each other/],
  [['install', '--tpu'], /--tpu/],
])('%j is refused with the usage', async (args, message) => {
  const command = run(...args);
  await expect(command).rejects.toMatchObject({ code: 'bad-arguments', message: expect.stringMatching(message) });
  await expect(command).rejects.toThrow(/usage: prelora engine/);
});

/** What a printer writes for a download told in hundred steps, then a compile. */
function printed(isTTY: boolean): string {
  let text = '';
  const print = progressPrinter({ isTTY, write: (piece) => (text += piece) });
  const steps: InstallProgress[] = Array.from({ length: 101 }, (_, i) => ({
    stage: 'download',
    message: 'downloading x',
    done: i * 1e6,
    total: 1e8,
  }));
  for (const step of [...steps, { stage: 'compile', message: 'compiling' } as const]) print(step);
  return text;
}

test('progress is five lines per stage in a log, and one line kept up to date on a terminal', () => {
  const lines = [0, 25, 50, 75, 100].map((percent) => `engine: downloading x: ${percent} % of 100 MB\n`);
  expect(printed(false)).toBe(`${lines.join('')}engine: compiling\n`);
  expect(printed(true).split('\n')).toHaveLength(3);
});
