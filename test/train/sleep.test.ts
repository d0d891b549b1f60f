/** Sleep and pauses: told in the journal, and in no rate; the latest end stays a time on the wall (product.md section 3). Clocks are handed in. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readRecords } from '../../main/store/runFolder.ts';
import { LatestEnd } from '../../main/train/latestEnd.ts';
import type { SleepClocks } from '../../main/train/sleep.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { eventsOf, trainTiny } from './tinyTraining.ts';

const OFF = { train: { epochs: 2 }, prelora: { switching: 'off' } };
const HOUR_MS = 3_600_000;

/** Two clocks; `sleep` lets the first alone go on. */
function clocks(): SleepClocks & { sleep(ms: number): void } {
  let asleep = 0;
  return {
    sinceBoot: () => performance.now() + asleep,
    awake: () => performance.now(),
    sleep(ms) {
      asleep += ms;
    },
  };
}

describe('a machine that sleeps, where the clock of the steps stands still', () => {
  it('has its sleep in the journal once, at the step where it was noticed', async () => {
    const given = clocks();
    const { dir } = await trainTiny(`${temporaryFolder()}/run`, OFF, {
      sleepClocks: given,
      prepare: (run) => {
        const update = run.trainer.update.bind(run.trainer);
        run.trainer.update = (step, ...rest) => {
          if (step === 4) given.sleep(43 * 60_000);
          if (step === 8) given.sleep(5000);
          return update(step, ...rest);
        };
      },
    });
    expect(await eventsOf(dir, 'slept')).toMatchObject([{ step: 4, by: 'program', detail: { seconds: 43 * 60 } }]);
  });

  it('is not taken for one by a clock that was behind from the start', async () => {
    const sinceBoot = (): number => 5_000_000 + performance.now();
    const { dir } = await trainTiny(`${temporaryFolder()}/run`, OFF, { sleepClocks: { sinceBoot, awake: () => performance.now() } });
    expect(await eventsOf(dir, 'slept')).toEqual([]);
  });
});

describe('a machine that sleeps, where the clock of the steps goes on', () => {
  afterEach(() => void vi.restoreAllMocks());

  /** An hour passes on the steps' clock within update 4, before the shell tells of it. */
  async function slept(told: number) {
    let asleep = 0;
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + asleep);
    const { dir } = await trainTiny(`${temporaryFolder()}/run`, OFF, {
      commands: { 4: [{ kind: 'slept', ms: told }] },
      prepare: (run) => {
        const update = run.trainer.update.bind(run.trainer);
        run.trainer.update = (step, ...rest) => {
          if (step === 4) asleep = HOUR_MS;
          return update(step, ...rest);
        };
      },
    });
    const seconds = (await readRecords(dir, 'epochs')).map((epoch) => epoch.seconds ?? 0);
    return { events: await eventsOf(dir, 'slept'), seconds };
  }

  it('has it taken out of the epoch’s time, and so out of its rate', async () => {
    const { events, seconds } = await slept(HOUR_MS);
    expect(events).toMatchObject([{ step: 4, detail: { seconds: 3600 } }]);
    expect(seconds[0]).toBeGreaterThan(0);
    expect(seconds[0]).toBeLessThan(600);
  });

  it('keeps what no step can have slept through: the machine slept in an evaluation or a pause', async () => {
    const { events, seconds } = await slept(2 * HOUR_MS);
    expect(events).toHaveLength(1);
    expect(seconds[0]).toBeGreaterThan(3600);
  });

  it('says nothing of a nap of seconds', async () => {
    expect((await slept(3000)).events).toEqual([]);
  });
});

describe('the latest end', () => {
  /** Epochs of `minutes`, each asked at its end whether the next fits before 23:00, from 20:00 on. */
  function setup() {
    const at = { wall: Date.parse('2026-11-29T20:00:00Z'), steady: 0 };
    const end = new LatestEnd({ wall: () => at.wall, steady: () => at.steady });
    const pass = (minutes: number): void => {
      at.wall += minutes * 60_000;
      at.steady += minutes * 60_000;
    };
    const sleep = (minutes: number): void => {
      at.wall += minutes * 60_000;
    };
    const isReached = (isEpochEnd = true, latestEnd: string | null = '2026-11-29T23:00:00Z'): boolean =>
      end.isReached(latestEnd, isEpochEnd);
    return { end, pass, sleep, isReached };
  }

  it('is reached when another epoch like the last would not fit', () => {
    const { pass, isReached } = setup();
    pass(60);
    expect(isReached()).toBe(false);
    pass(60);
    expect(isReached()).toBe(true);
  });

  it('counts neither sleep nor a pause as something the next epoch needs', () => {
    const { end, pass, sleep, isReached } = setup();
    pass(20);
    sleep(100);
    expect(isReached()).toBe(false); // 22:00, and an epoch takes 20 min
    pass(10);
    pass(30);
    end.leaveOut(30 * 60_000);
    expect(isReached()).toBe(false); // 22:40, and an epoch takes 10 min
  });

  it('that is set while the run trains knows what the last epoch took, and not what all took', () => {
    const { pass, isReached } = setup();
    for (let epoch = 0; epoch < 8; epoch++) {
      pass(20);
      expect(isReached(true, null)).toBe(false);
    }
    expect(isReached(false)).toBe(false); // 22:40
    pass(5);
    expect(isReached()).toBe(false); // 22:45, and that epoch took 5 min
  });

  it('stays a time on the wall: a machine that slept past it ends the run', () => {
    const { sleep, isReached } = setup();
    sleep(180);
    expect(isReached(false)).toBe(true);
  });
});
