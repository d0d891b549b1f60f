// @vitest-environment ../support/pageEnvironment.ts
import { expect, it } from 'vitest';
import { SwitchedEta, secondsIfSwitched } from '../../renderer/state/switchedEta.svelte.ts';
import { fakeApi } from './fakeApi.ts';

const pace = { jointSteps: 100, warmup: 0.8, lora: 1.25 };
const place = { step: 1000, totalSteps: 2000, etaSeconds: 500, nextTest: 1100 };

it('counts the steps to the test at this pace, the joint ones slower, the rest faster', () => {
  // 0.5 s per step: 100 steps, 100 at 0.8 of the speed, 800 at 1.25 of it.
  expect(secondsIfSwitched(place, pace)).toBeCloseTo(0.5 * (100 + 125 + 640), 9);
  expect(secondsIfSwitched(place, { ...pace, warmup: 1, lora: 1 })).toBeCloseTo(500, 9);
});

it('says nothing when too few steps are left, or the test has passed', () => {
  expect(secondsIfSwitched({ ...place, nextTest: 1950 }, pace)).toBeNull();
  expect(secondsIfSwitched({ ...place, nextTest: 900 }, pace)).toBeNull();
});

it('asks at most every half minute, and takes a refusal as nothing to say', async () => {
  const api = fakeApi({ 'switch:preview': () => ({ pace }) });
  const eta = new SwitchedEta('a', api);
  for (const now of [0, 10_000, 29_000, 31_000]) await eta.ask(now);
  expect(api.asked).toHaveLength(2);
  expect(eta.pace).toEqual(pace);
  api.answers['switch:preview'] = () => {
    throw new Error('no snapshots');
  };
  await eta.ask(70_000);
  expect(eta.pace).toBeNull();
});
