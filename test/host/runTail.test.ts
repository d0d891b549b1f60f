/** Following the files of a run while they are written: every record once, in whatever pieces the bytes arrive. */
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunTail } from '../../main/host/runTail.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const line = (step: number): string =>
  `${JSON.stringify({ step, epoch: 0, phase: 'full', segment: 0, loss: 1.5, lr: 0.1, imagesPerSecond: null, stepMs: 3, dataWaitMs: 0, memoryBytes: null, gradNorm: step % 2 === 1 ? 'NaN' : 0.5 })}\n`;

const stepsOf = ({ metrics }: { metrics: { step: number }[] }): number[] => metrics.map(({ step }) => step);

describe('the tail of a run', () => {
  it('gives each record once, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 12 }), async (cuts) => {
        const dir = temporaryFolder();
        const file = path.join(dir, 'metrics.jsonl');
        const text = Array.from({ length: 6 }, (_, i) => line(i)).join('');
        const tail = new RunTail(dir);
        const found: number[] = [];
        let start = 0;
        for (const cut of [...cuts, text.length]) {
          appendFileSync(file, text.slice(start, start + cut));
          start = Math.min(text.length, start + cut);
          found.push(...stepsOf(await tail.look()));
        }
        expect(found).toEqual([0, 1, 2, 3, 4, 5]);
      }),
      { numRuns: 25 },
    );
  });

  it('turns the words for non-finite numbers back into numbers', async () => {
    const dir = temporaryFolder();
    writeFileSync(path.join(dir, 'metrics.jsonl'), line(1));
    expect((await new RunTail(dir).look()).metrics[0]?.gradNorm).toBeNaN();
  });

  it('takes figures of a GPU where there are some, whatever is missing of them', async () => {
    const dir = temporaryFolder();
    const withGpu = { ...JSON.parse(line(2)), gpuUse: 0.87, gpuMemoryBytes: null };
    const wrong = { ...withGpu, step: 3, gpuUse: 'much' };
    writeFileSync(path.join(dir, 'metrics.jsonl'), [withGpu, wrong].map((one) => `${JSON.stringify(one)}\n`).join(''));
    const { metrics, problems } = await new RunTail(dir).look();
    expect(metrics).toMatchObject([{ step: 2, gpuUse: 0.87, gpuMemoryBytes: null }]);
    expect(problems).toHaveLength(1);
  });

  it('passes over a line that is no record, and says so', async () => {
    const dir = temporaryFolder();
    writeFileSync(path.join(dir, 'metrics.jsonl'), `${line(1)}{"step":-2}\nrubbish\n${line(2)}`);
    const found = await new RunTail(dir).look();
    expect(stepsOf(found)).toEqual([1, 2]);
    expect(found.problems).toHaveLength(2);
  });

  it('takes at most a piece of a long file at once, and all of it in the end', async () => {
    const dir = temporaryFolder();
    writeFileSync(path.join(dir, 'metrics.jsonl'), Array.from({ length: 20_000 }, (_, i) => line(i)).join(''));
    const tail = new RunTail(dir);
    const first = await tail.look();
    expect(first.more).toBe(true);
    expect(stepsOf(first).length + stepsOf(await tail.lookToEnd()).length).toBe(20_000);
  });

  it('goes on after a torn tail was cut off', async () => {
    const dir = temporaryFolder();
    const file = path.join(dir, 'metrics.jsonl');
    writeFileSync(file, `${line(1)}not json at all\n`);
    const tail = new RunTail(dir);
    await tail.look();
    truncateSync(file, line(1).length);
    expect(stepsOf(await tail.look())).toEqual([]);
    appendFileSync(file, line(2));
    expect(stepsOf(await tail.look())).toEqual([2]);
  });

  it('finds nothing in a folder without records', async () => {
    expect(await new RunTail(temporaryFolder()).lookToEnd()).toMatchObject({ metrics: [], events: [], problems: [] });
  });
});
