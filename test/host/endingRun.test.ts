/** The moment between a run's last words and the end of its trainer, which a page must not be able to fall into. */
import { describe, expect, it, vi } from 'vitest';
import type { EngineHostOptions } from '../../main/host/engineHost.ts';
import { connectPage, startHost, watchRun } from '../support/engineHost.ts';
import { ScriptedTrainer } from '../support/scriptedTrainer.ts';

/** A host whose trainers are scripted, in order; and a page that watches the first one's run. */
async function watchedRun(more: Partial<EngineHostOptions> = {}) {
  const trainers = [new ScriptedTrainer(), new ScriptedTrainer()] as const;
  const waiting = [...trainers];
  const host = startHost(() => (waiting.shift() as ScriptedTrainer).launched, more);
  const page = connectPage(host);
  const { runId } = await page.request('run:start', { config: {} });
  return { host, page, runId, first: trainers[0], second: trainers[1], ...(await watchRun(page, runId)) };
}

describe('a run that ends', () => {
  it('is shown as finished, also when its trainer is gone before the frame goes out', async () => {
    const { first, until, host, runId } = await watchedRun();
    await first.status({ step: 7 });
    await until(({ status }) => status.step === 7);
    await first.status({ status: 'finished', step: 8 });
    first.end('finished');
    await host.liveRun(runId)?.over;
    await until(({ status }) => status.status === 'finished' && status.step === 8);
  });

  it('takes more epochs at once, by going on in a new trainer', async () => {
    const { page, runId, first, second, until } = await watchedRun();
    await first.status({ status: 'finished', step: 8 });
    await until(({ status }) => status.status === 'finished');
    const edited = page.request('run:edit', { runId, changes: { 'train.epochs': 3 } });
    first.end('finished');
    await edited;
    expect(first.commands).toEqual([]);
    expect(second.commands).toEqual([{ kind: 'edit', changes: { 'train.epochs': 3 }, extension: 'continue' }]);
    second.end('interrupted');
  });

  it('makes room for the next one: a start waits for the end and is not told that the device is busy', async () => {
    const { page, runId, first, second, host, until } = await watchedRun();
    await first.status({ status: 'interrupted', step: 8 });
    await until(({ status }) => status.status === 'interrupted');
    const resumed = page.request('run:resume', { runId });
    first.end('interrupted');
    await resumed;
    expect(host.liveRun(runId)).not.toBeNull();
    second.end('interrupted');
    await vi.waitUntil(() => host.liveRun(runId) === null);
  });

  it('because the system killed its trainer for memory: the journal holds the micro-batch that would have fitted', async () => {
    let kills = 7;
    const { page, runId, first, until } = await watchedRun({ memoryKills: () => kills });
    await first.status({ step: 3 });
    await until(({ status }) => status.step === 3);
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    kills++;
    first.die();
    expect(await exited).toMatchObject({ reason: expect.stringMatching(/memory ran out: train\.microBatch \d+ needs about/) });
    const { events } = await page.request('run:state', { runId });
    expect(events.find(({ kind }) => kind === 'crash')?.detail).toMatchObject({ memory: { fits: expect.any(Number) } });
  });

  it('because its thread exhausted its heap: told as a want of memory, without what could have been had', async () => {
    const { page, runId, first, until } = await watchedRun({ memoryKills: () => null });
    await first.status({ step: 3 });
    await until(({ status }) => status.step === 3);
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    first.die('the trainer thread ended with code 1: Worker terminated due to reaching memory limit: JS heap out of memory');
    expect(await exited).toMatchObject({ reason: expect.stringContaining('memory ran out') });
    const { events } = await page.request('run:state', { runId });
    expect(events.find(({ kind }) => kind === 'crash')?.detail).toMatchObject({ memory: { availableBytes: null } });
  });

  it('with the host that had it, which the system killed for memory: the next host records it, and a resume waits for that', async () => {
    const { runId, first, host: before, until } = await watchedRun();
    await first.status({ step: 3 });
    await until(({ status }) => status.step === 3);
    first.end('interrupted');
    await before.liveRun(runId)?.over;
    const second = new ScriptedTrainer();
    const host = startHost(() => second.launched, {}, before.dataRoot);
    const page = connectPage(host);
    const changed = new Promise((resolve) => void page.on('runs:changed', resolve));
    void host.recordLoss(runId, { reason: 'the engine process ended with code 9', wasKilledForMemory: true });
    const resumed = page.request('run:resume', { runId });
    expect(await changed).toEqual({ runIds: [runId] });
    await resumed;
    const { events } = await page.request('run:state', { runId });
    expect(events.filter(({ kind }) => kind === 'crash')).toMatchObject([
      {
        detail: {
          reason: 'the engine process ended with code 9',
          memory: { fits: expect.any(Number), availableBytes: expect.any(Number) },
        },
      },
    ]);
    second.end('interrupted');
    await vi.waitUntil(() => host.liveRun(runId) === null);
  });

  it('by another death of its trainer is not put down to memory', async () => {
    const { page, runId, first, until } = await watchedRun({ memoryKills: () => 7 });
    await first.status({ step: 3 });
    await until(({ status }) => status.step === 3);
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    first.die();
    await exited;
    const { events } = await page.request('run:state', { runId });
    expect(events.find(({ kind }) => kind === 'crash')?.detail).not.toHaveProperty('memory');
  });

  it('was asleep meanwhile: told to its trainer, which leaves that time out', async () => {
    const { first, host, runId } = await watchedRun();
    host.slept(2_580_000);
    await vi.waitUntil(() => first.commands.length > 0);
    expect(first.commands).toEqual([{ kind: 'slept', ms: 2_580_000 }]);
    first.end('interrupted');
    await vi.waitUntil(() => host.liveRun(runId) === null);
  });

  it('by the death of its trainer can be resumed by whoever hears of it, at once', async () => {
    const { page, runId, first, second, host, until } = await watchedRun();
    await first.status({ step: 3 });
    await until(({ status }) => status.step === 3);
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    first.die();
    expect(await exited).toMatchObject({ runId, resumable: true });
    await page.request('run:resume', { runId });
    expect(host.liveRun(runId)?.trainer).toBe(second.launched);
    second.end('interrupted');
    await vi.waitUntil(() => host.liveRun(runId) === null);
  });
});
