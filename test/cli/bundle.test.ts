/** `prelora import` of a run bundle, told by its content; then its data named by `--data`, and nothing of it where it is refused. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const root = path.resolve(import.meta.dirname, '../..');
const golden = path.join(root, 'test/fixtures/bundle/bundle-v1.zip');

function prelora(dataDir: string, ...args: string[]) {
  const env = { ...process.env, PRELORA_DATA_DIR: dataDir };
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'build/prelora.mjs'), ...args], {
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

test('a bundle becomes a run, which is evaluated once its data is named', { timeout: 120_000 }, () => {
  const dataDir = temporaryFolder();
  const folder = path.join(dataDir, 'runs', 'golden');
  const imported = prelora(dataDir, 'import', golden);
  expect(imported).toMatchObject({ status: 0, stdout: `${folder}\n` });
  expect(imported.stderr).toContain('its data did not come along (idx "flowers", not on this machine)');
  const again = prelora(dataDir, 'import', golden, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ kind: 'bundle', name: 'golden', folder: `${folder}-2` });

  const early = prelora(dataDir, 'eval', folder, '--checkpoint', 'best');
  expect(early.status).toBe(3);
  expect(early.stderr).toContain('prelora resume|eval DIR --data SOURCE');
  const sample = path.join(root, 'resources', 'sample-fashion-mnist');
  const scores = prelora(dataDir, 'eval', folder, '--checkpoint', 'best', '--data', sample, '--json');
  expect(JSON.parse(scores.stdout)).toMatchObject({ step: 3, count: 20, valTop1: 0.15 });
  expect(prelora(dataDir, 'eval', folder, '--checkpoint', 'best').status).toBe(0);
  const own = prelora(dataDir, 'import', golden, '--heads', '3');
  expect(own).toMatchObject({ status: 2, stderr: 'prelora: --heads: means nothing for a run bundle\n' });
});

test('a hostile bundle is refused with exit status 3, and leaves nothing', () => {
  const dataDir = temporaryFolder();
  const { status, stderr } = prelora(dataDir, 'import', path.join(root, 'test/fixtures/bundle/hostile/parent.zip'));
  expect([status, stderr]).toEqual([3, expect.stringContaining('run/../../evil: leads out of its folder by its name')]);
  expect(existsSync(path.join(dataDir, 'runs')) ? readdirSync(path.join(dataDir, 'runs')) : []).toEqual([]);
});
