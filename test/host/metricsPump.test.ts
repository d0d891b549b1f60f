/** Frames for a page that keeps up, lags, hides or stands still (reliability.md R16). Time is handed in. */
import { describe, expect, it } from 'vitest';
import { type FrameSource, MetricsPump, type PumpClock } from '../../main/host/metricsPump.ts';
import { noRecords } from '../../main/host/runTail.ts';
import type { RunFrame } from '../../main/protocol/events.ts';
import type { MetricsRecord } from '../../main/protocol/records.ts';
import type { StatusFile } from '../../main/protocol/run.ts';

/** A clock that only moves when told to. */
function fakeClock() {
  let time = 0;
  let waiting: { at: number; action: () => void }[] = [];
  const clock: PumpClock = {
    now: () => time,
    later(action, ms) {
      const entry = { at: time + ms, action };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((other) => other !== entry);
      };
    },
  };
  const advance = async (ms: number): Promise<void> => {
    time += ms;
    const due = waiting.filter(({ at }) => at <= time);
    waiting = waiting.filter(({ at }) => at > time);
    for (const { action } of due) action();
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  };
  return { clock, advance };
}

/** A run that writes a record per `write()`, as the files would hold it. */
function fakeRun(atOnce = Number.POSITIVE_INFINITY) {
  const written: number[] = [];
  let read = 0;
  const source: FrameSource = {
    async look() {
      const steps = written.slice(read, read + atOnce);
      read += steps.length;
      return { ...noRecords(), metrics: steps.map((step) => ({ step }) as MetricsRecord), more: read < written.length };
    },
    present: () => ({ runId: 'run', live: true, status: {} as StatusFile, activity: 'training', etaSeconds: null }),
  };
  return { source, write: () => written.push(written.length) };
}

function setUp(atOnce?: number) {
  const { clock, advance } = fakeClock();
  const { source, write } = fakeRun(atOnce);
  const frames: RunFrame[] = [];
  const pump = new MetricsPump(source, (frame) => frames.push(frame), { clock });
  const step = (): void => {
    write();
    pump.wake();
  };
  const steps = (): number[] => frames.flatMap(({ metrics }) => metrics.map((record) => record.step));
  return { pump, frames, advance, step, steps };
}

describe('frames', () => {
  it('come at most every 80 ms, numbered from 1, with every record once', async () => {
    const { pump, frames, advance, step, steps } = setUp();
    for (let i = 0; i < 40; i++) {
      step();
      await advance(10);
      pump.acknowledge(pump.sequence);
    }
    await advance(80);
    expect(frames.length).toBeLessThanOrEqual(7);
    expect(frames.map(({ sequence }) => sequence)).toEqual(frames.map((_, i) => i + 1));
    expect(steps()).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('stop after two for a page that does not answer, whatever the run does', async () => {
    const { frames, advance, step } = setUp();
    for (let i = 0; i < 1000; i++) {
      step();
      await advance(100);
    }
    expect(frames).toHaveLength(2);
  });

  it('bring everything missed, together, when the page answers again', async () => {
    const { pump, frames, advance, step, steps } = setUp();
    for (let i = 0; i < 500; i++) {
      step();
      await advance(100);
    }
    pump.acknowledge(2);
    await advance(100);
    expect(frames).toHaveLength(3);
    expect(steps()).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  it('slow down to the pace of the answers: a hidden page that answers once a second gets one a second', async () => {
    const { pump, frames, advance, step } = setUp();
    for (let ms = 0; ms < 10_000; ms += 50) {
      step();
      await advance(50);
      if (ms % 1000 === 0) pump.acknowledge(pump.sequence - 1);
    }
    expect(frames.length).toBeLessThanOrEqual(12);
  });

  it('follow each other until a long backlog is told', async () => {
    const { pump, advance, step, steps } = setUp(100);
    for (let i = 0; i < 450; i++) step();
    for (let i = 0; i < 6; i++) {
      await advance(80);
      pump.acknowledge(pump.sequence);
    }
    expect(steps()).toHaveLength(450);
  });

  it('skip a number when what the page holds is no longer the run', async () => {
    const { pump, frames, advance, step } = setUp();
    step();
    await advance(80);
    pump.skipNumber();
    step();
    await advance(80);
    expect(frames.map(({ sequence }) => sequence)).toEqual([1, 3]);
  });

  it('end when the page is gone', async () => {
    const { pump, frames, advance, step } = setUp();
    step();
    pump.close();
    await advance(1000);
    step();
    await advance(1000);
    expect(frames).toHaveLength(0);
  });

  it('take no answer from the future', async () => {
    const { pump, frames, advance, step } = setUp();
    pump.acknowledge(1_000_000);
    for (let i = 0; i < 10; i++) {
      step();
      await advance(100);
    }
    expect(frames).toHaveLength(2);
  });
});
