/** A run from a page's point of view: started, watched, paused, changed, stopped, killed, resumed. The trainer is a real process. */
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { launchTrainerProcess, launchTrainerThread } from '../../main/host/launchTrainer.ts';
import { connectPage, startHost, watchRun } from '../support/engineHost.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

describe('a live run', () => {
  it('reaches the page in frames that together with the first state equal the files: no gap, no double (F4)', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const { state, frames, until } = await watchRun(page, runId);
    await until(({ status }) => status.step >= 20);
    await page.request('run:pause', { runId });
    await until(({ status }) => status.status === 'paused');
    const late = connectPage(host);
    const again = (await watchRun(late, runId)).state;
    const live = [...state.metrics, ...frames.flatMap(({ metrics }) => metrics)];
    expect(again.classNames).toContain('Sneaker');
    expect(live.map(({ step }) => step)).toEqual(again.metrics.map(({ step }) => step));
    expect(live.map(({ step }) => step)).toEqual(live.map((_, i) => i + 1));
    const events = [...state.events, ...frames.flatMap((frame) => frame.events)];
    expect(events).toEqual(again.events);
    expect(frames.map(({ sequence }) => sequence)).toEqual(frames.map((_, i) => state.sequence + i + 1));
  });

  it('obeys pause, advance, edit, note, checkpoint, resume and stop, each journalled, and answers while paused', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const { until } = await watchRun(page, runId);
    await page.request('run:pause', { runId });
    const { step } = (await until(({ status }) => status.status === 'paused')).status;
    await page.request('run:advance', { runId, steps: 5 });
    const paused = await until(({ status }) => status.status === 'paused' && status.step === step + 5);
    await page.request('run:edit', { runId, changes: { 'prelora.tau': 55, 'train.lr': 0.002 } });
    await page.request('run:note', { runId, text: 'looks good' });
    expect(await page.request('run:checkpoint', { runId })).toEqual({ step: paused.status.step });
    const scores = await page.request('evaluate', { runId });
    expect(scores).toMatchObject({ step: paused.status.step, count: 32 });
    const prediction = await page.request('predict', { runId, sample: 3 });
    expect(prediction.classes.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    await page.request('run:resume', { runId });
    await page.request('run:stop', { runId });
    await page.request('run:stop', { runId });
    const { summary, events, live } = await page.request('run:state', { runId });
    expect(live).toBe(false);
    expect(summary.status.status).toBe('interrupted');
    expect(summary.config.prelora.tau).toBe(55);
    const edited = events.filter(({ kind }) => kind === 'edited').map(({ detail }) => detail);
    expect(edited).toEqual([
      { field: 'prelora.tau', from: 100, to: 55 },
      { field: 'train.lr', from: 0.001, to: 0.002 },
    ]);
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['paused', 'resumed', 'note', 'interrupted']));
  });

  it('hands its newest checkpoint on while it trains, and trains on', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const { until } = await watchRun(page, runId);
    await until(({ status }) => status.step >= 2);
    const { step } = await page.request('run:checkpoint', { runId });
    const report = await page.request('run:export', { runId, settings: { format: 'hf', checkpoint: 'last' } });
    // At least that one: the pause for it writes one too.
    expect(report.step).toBeGreaterThanOrEqual(step);
    expect(report.status).toBe('passed');
    expect(path.basename(report.folder)).toBe(`hf-step-${report.step}`);
    await until(({ status }) => status.status === 'running' && status.step > step + 1);
    await page.request('run:stop', { runId });
  });

  it('switches, freezes and is undone on demand; the page is told to ask again', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const proposed = new Promise((resolve) => void page.on('switch:proposed', resolve));
    const { frames, until } = await watchRun(page, runId);
    expect(await proposed).toMatchObject({ runId, dueStep: null });
    const preview = await page.request('switch:preview', { runId, settings: { rMin: 1, rMax: 2 } });
    expect(preview.passes).toBe(true);
    const ranks = Object.fromEntries((preview.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]));
    const trial = await page.request('switch:trial', { runId, ranks });
    expect([trial.now.measured, trial.lora.measured]).toEqual([true, true]);
    await page.request('switch:now', { runId, ranks });
    await until(({ status }) => status.phase === 'lora');
    const switched = await page.request('run:state', { runId });
    expect(Object.fromEntries((switched.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]))).toEqual(ranks);
    const before = frames.length;
    await page.request('switch:undo', { runId });
    await until(({ events }) => events.some(({ kind }) => kind === 'undone'));
    const numbers = frames.slice(before - 1).map(({ sequence }) => sequence);
    expect(numbers.some((sequence, i) => i > 0 && sequence > (numbers[i - 1] as number) + 1)).toBe(true);
    const undone = await page.request('run:state', { runId });
    expect(undone.summary.status).toMatchObject({ phase: 'full', status: 'paused' });
    expect(undone.summary.config.prelora.switching).toBe('manual');
    expect(undone.abandoned.metrics.length).toBeGreaterThan(0);
  });

  it('is alone on the device: a second start, a fork and a checkpoint job are refused', async () => {
    const host = startHost();
    const page = connectPage(host);
    const first = page.request('run:start', { config: SMALL_RUN });
    await expect(page.request('run:start', { config: SMALL_RUN })).rejects.toMatchObject({ code: 'busy' });
    const { runId } = await first;
    await expect(page.request('run:start', { config: SMALL_RUN })).rejects.toMatchObject({ code: 'busy' });
    await expect(page.request('runs:trash', { runId })).rejects.toMatchObject({ code: 'busy' });
    await expect(page.request('switch:veto', { runId })).rejects.toMatchObject({ code: 'bad-arguments' });
  });

  it.each([
    ['process', launchTrainerProcess],
    ['thread', launchTrainerThread],
  ] as const)('whose trainer %s dies is marked, offered and resumed; waiting requests fail (R14)', async (_kind, launch) => {
    const trainers: ReturnType<typeof launch>[] = [];
    const host = startHost((needs) => {
      const trainer = launch(needs);
      trainers.push(trainer);
      return trainer;
    });
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const { until } = await watchRun(page, runId);
    await until(({ status }) => status.step >= 10);
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    // Dies when the request is on its way to it: a request that comes later finds no live run at all.
    const { port, pid } = trainers[0]!;
    const die = (): void => void (pid === null ? port.close() : process.kill(pid, 'SIGKILL'));
    vi.spyOn(port, 'post').mockImplementationOnce(die);
    await expect(page.request('run:checkpoint', { runId })).rejects.toMatchObject({ code: 'trainer-exited' });
    expect(await exited).toMatchObject({ runId, resumable: true });
    const crashed = await page.request('run:state', { runId });
    expect(crashed.live).toBe(false);
    expect(crashed.summary.status.status).toBe('interrupted');
    expect(crashed.events.at(-1)).toMatchObject({ kind: 'crash', by: 'program' });
    await page.request('run:resume', { runId });
    const { state, until: again } = await watchRun(page, runId);
    await again(({ status }) => status.status === 'running' && status.step > 12);
    expect(state.live).toBe(true);
    // The journal's line comes with the trainer's first words, maybe after the state above.
    const isJournalled = async () => (await page.request('run:state', { runId })).events.some(({ kind }) => kind === 'segment');
    await expect.poll(isJournalled).toBe(true);
  });

  it('that is finished goes on with more epochs', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: { ...SMALL_RUN, train: { ...SMALL_RUN.train, epochs: 1 } } });
    const { until } = await watchRun(page, runId);
    await until(({ status }) => status.status === 'finished');
    await host.liveRun(runId)?.over;
    await expect(page.request('run:resume', { runId })).rejects.toMatchObject({ code: 'bad-arguments', field: 'train.epochs' });
    await page.request('run:edit', { runId, changes: { 'train.epochs': 2 } });
    const { until: again } = await watchRun(page, runId);
    await again(({ status }) => status.status === 'finished' && status.step === 16);
  });

  it('can be forked from a checkpoint with a change, and discarded and brought back', async () => {
    const host = startHost();
    const page = connectPage(host);
    const { runId } = await page.request('run:start', { config: SMALL_RUN });
    const { until } = await watchRun(page, runId);
    await until(({ status }) => status.step >= 9);
    await page.request('run:stop', { runId });
    const { runId: forkId } = await page.request('run:fork', { runId, changes: { 'prelora.tau': 3 } });
    const fork = await page.request('run:state', { runId: forkId });
    expect(fork.summary.config.prelora.tau).toBe(3);
    expect(fork.metrics.length).toBeGreaterThanOrEqual(9);
    expect(fork.events.some(({ kind }) => kind === 'forked')).toBe(true);
    await page.request('run:stop', { runId: forkId, discard: true });
    expect((await page.request('runs:list', {})).map((run) => run.runId)).toEqual([runId]);
    await page.request('runs:restore', { runId: forkId });
    expect((await page.request('runs:list', {})).map((run) => run.runId).sort()).toEqual([runId, forkId].sort());
  });
});
