/** Going on after a stop equals never having stopped: method.md section 12 and invariants 8 and 9. */
import { describe, expect, it } from 'vitest';
import { openRun } from '../../main/store/runStore.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, eventKinds, resumeTiny, trainTiny } from './tinyTraining.ts';

/** Every kind of boundary: before anything, in each phase, on the switch (12), on the freeze (18), in the ramp, on the last but one. */
const BOUNDARIES = [1, 5, 6, 11, 12, 13, 17, 18, 19, 20, 24, 29];

describe('a run that was stopped and resumed', () => {
  it('equals the uninterrupted one, bit for bit, wherever it was stopped', async () => {
    const root = temporaryFolder();
    const whole = await contentOf(await trainTiny(`${root}/whole`));
    expect(whole.ranks).not.toBeNull();
    for (const step of BOUNDARIES) {
      const dir = `${root}/stopped-${step}`;
      const stopped = await trainTiny(dir, {}, { commands: { [step]: [{ kind: 'stop' }] } });
      expect(stopped.end).toBe('interrupted');
      expect(stopped.run.state.step).toBe(step);
      const resumed = await resumeTiny(dir);
      expect(resumed.end).toBe('finished');
      expect(await contentOf(resumed), `stopped at ${step}`).toEqual(whole);
    }
  }, 240_000);

  it('equals it with grace time pending, averaged weights, accumulation, dropout and an incomplete last batch', async () => {
    const overrides = {
      model: { dropRate: 0.1, attnDropRate: 0.1, dropPathRate: 0.2 },
      data: { maxTrain: 45, mixupAlpha: 0.4, cutmixAlpha: 0.5 },
      train: { microBatch: 4, dropLast: false, emaDecay: 0.9 },
      prelora: { graceSteps: 4, loraDropRate: 0.1, optimizerAtSwitch: 'keepByName', optimizerAtFreeze: 'keepByName' },
    };
    const root = temporaryFolder();
    const whole = await contentOf(await trainTiny(`${root}/whole`, overrides));
    for (const step of [3, 14, 16, 21, 25]) {
      const dir = `${root}/stopped-${step}`;
      await trainTiny(dir, overrides, { commands: { [step]: [{ kind: 'stop' }] } });
      expect(await contentOf(await resumeTiny(dir)), `stopped at ${step}`).toEqual(whole);
    }
  }, 240_000);

  it('says so in the journal, and starts no new segment after a clean stop', async () => {
    const root = temporaryFolder();
    await trainTiny(`${root}/run`, {}, { commands: { 7: [{ kind: 'stop' }] } });
    const { run } = await resumeTiny(`${root}/run`);
    expect(run.state.segment).toBe(0);
    expect(await eventKinds(`${root}/run`)).toEqual(expect.arrayContaining(['started', 'interrupted', 'resumed', 'finished']));
  });
});

describe('a resume that was killed before its first record', () => {
  it('leaves a segment behind; the next resume still ends in live records that equal the uninterrupted run', async () => {
    const root = temporaryFolder();
    const whole = await contentOf(await trainTiny(`${root}/whole`));
    const dir = `${root}/killed`;
    await trainTiny(dir, {}, { commands: { 14: [{ kind: 'stop' }] } });
    const store = await openRun(dir);
    await store.startSegment({ step: 14, segment: 0 }, 'resume after an unclean end');
    store.close();
    expect(await contentOf(await resumeTiny(dir))).toEqual(whole);
  });
});

describe('the same config and seed', () => {
  it('give the same run; another seed gives another', async () => {
    const root = temporaryFolder();
    const first = await contentOf(await trainTiny(`${root}/a`));
    expect(await contentOf(await trainTiny(`${root}/b`))).toEqual(first);
    const other = await contentOf(await trainTiny(`${root}/c`, { train: { seed: 1 } }));
    expect(other.metrics[0]?.loss).not.toBe(first.metrics[0]?.loss);
  });
});

describe('looking at a run', () => {
  it('changes nothing: evaluation, prediction, notes, pauses and checkpoints leave the same bits', async () => {
    const patches = new Float32Array(4 * 14 * 14).fill(0.5);
    const looks = [{ kind: 'evaluate' }, { kind: 'predict', patches }, { kind: 'note', text: 'hm' }, { kind: 'checkpoint' }] as const;
    const root = temporaryFolder();
    const plain = await contentOf(await trainTiny(`${root}/plain`));
    const pauses = [{ kind: 'pause' }, { kind: 'resume' }] as const;
    const watched = await trainTiny(`${root}/watched`, {}, { commands: { 4: [...looks], 14: [...pauses, ...looks], 22: [...looks] } });
    expect(await contentOf(watched)).toEqual(plain);
    const [scores, prediction] = watched.answers as [{ count: number }, { probabilities: number[] }];
    expect(scores.count).toBe(20);
    expect(prediction.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
  });
});
