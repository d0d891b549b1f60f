import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ensureEngine, forgetFailure } from '../../main/engine/ensure.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { type FakeIndex, startFakeIndex } from './support/fakeIndex.ts';
import { fakeToolchain } from './support/fakeToolchain.mjs';

const HOUR_MS = 3600 * 1000;
const noSources = { index: 'http://127.0.0.1:1/', wheels: [], archives: [] };

async function serving(): Promise<FakeIndex> {
  const index = await startFakeIndex();
  onTestFinished(() => index.close());
  return index;
}

test('an engine is fetched once, and found afterwards', async () => {
  const { sources, ranges } = await serving();
  const options = { root: path.join(temporaryFolder(), 'engines'), sources, python: null, env: {}, ...fakeToolchain() };
  const first = await ensureEngine(options);
  expect(first.engine?.manifest.version).toBe('1.0');
  expect((await ensureEngine(options)).engine?.folder).toBe(first.engine?.folder);
  expect(ranges).toHaveLength(1);
});

test('a failure is a reason, not an error, and is not repeated for a day', async () => {
  const root = path.join(temporaryFolder(), 'engines');
  const failing = { root, sources: noSources, python: null, env: {}, now: () => 0 };
  expect(await ensureEngine(failing)).toMatchObject({ engine: null, why: expect.stringContaining('there is no source') });

  const { sources } = await serving();
  const working = { ...failing, sources, ...fakeToolchain() };
  expect(await ensureEngine({ ...working, now: () => 23 * HOUR_MS })).toMatchObject({
    engine: null,
    why: expect.stringContaining('within the last day'),
  });
  expect((await ensureEngine({ ...working, now: () => 25 * HOUR_MS })).engine).not.toBeNull();
});

test('a clock that was set back does not hold an install back', async () => {
  const root = temporaryFolder();
  writeFileSync(path.join(root, 'last-failure.json'), JSON.stringify({ at: 10 * HOUR_MS, why: 'no network' }));
  const { sources } = await serving();
  const { engine } = await ensureEngine({ root, sources, python: null, env: {}, now: () => HOUR_MS, ...fakeToolchain() });
  expect(engine).not.toBeNull();
});

test('PRELORA_SKIP_ENGINE=1 fetches nothing', async () => {
  const root = path.join(temporaryFolder(), 'engines');
  const skipped = await ensureEngine({ root, sources: noSources, env: { PRELORA_SKIP_ENGINE: '1' } });
  expect(skipped).toEqual({ engine: null, why: 'PRELORA_SKIP_ENGINE=1 is set' });
  expect(existsSync(root)).toBe(false);
});

test('a forgotten failure lets the next command try at once', async () => {
  const root = temporaryFolder();
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, 'last-failure.json'), JSON.stringify({ at: 0, why: 'no network' }));
  await forgetFailure(root);
  expect(existsSync(path.join(root, 'last-failure.json'))).toBe(false);
});
