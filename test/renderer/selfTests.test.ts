// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it } from 'vitest';
import { SelfTests } from '../../renderer/state/selfTests.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

const PASSED = { stepMs: 9, steps: 30 };

let api: FakeApi;
let tests: SelfTests;

beforeEach(() => {
  api = fakeApi({ 'engine:selfTest': () => PASSED });
  tests = new SelfTests(api);
});

it('runs one at a time and keeps what came of it', async () => {
  const running = tests.run('tensorflow');
  expect(tests.running).toBe('tensorflow');
  await tests.run('wasm');
  await running;
  expect(api.asked).toEqual([{ name: 'engine:selfTest', arg: { backend: 'tensorflow' } }]);
  expect([tests.running, tests.outcomeOf('tensorflow')?.passed, tests.outcomeOf('wasm')]).toEqual([null, PASSED, null]);
});

it('keeps why one failed until the next try, and forgets an engine that has changed', async () => {
  api.answers['engine:selfTest'] = () => {
    throw new Error('does not load');
  };
  await tests.run('wasm');
  expect([tests.running, tests.outcomeOf('wasm')]).toEqual([null, { passed: null, problem: 'does not load' }]);
  api.answers['engine:selfTest'] = () => PASSED;
  const again = tests.run('wasm');
  expect(tests.outcomeOf('wasm')).toBeNull();
  await again;
  expect(tests.outcomeOf('wasm')?.passed).toEqual(PASSED);
  tests.forget('wasm');
  expect(tests.outcomeOf('wasm')).toBeNull();
});
