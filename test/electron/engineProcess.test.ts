/** The death of the engine process, as the shell tells it and hands it to the next one. Electron is a few event emitters here. */
import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Presence } from '../../main/protocol/events.ts';

const app = Object.assign(new EventEmitter(), { getAppPath: () => '/app' });
const forks: { child: EventEmitter; args: string[] }[] = [];

vi.mock('electron', () => ({
  app,
  MessageChannelMain: class {},
  utilityProcess: {
    fork(_program: string, args: string[]) {
      const child = Object.assign(new EventEmitter(), { postMessage() {}, kill() {} });
      forks.push({ child, args });
      return child;
    },
  },
}));
const { EngineProcess } = await import('../../electron/engineProcess.ts');

const RUN = { runId: 'flowers-1', name: 'flowers', status: 'running' } as Presence;

/** A process that trains, with a counter of kills in the hands of the test. */
function training() {
  const kills = { count: 7 as number | null };
  const engine = new EngineProcess(() => kills.count);
  const told: { reason?: string; resumable?: boolean }[] = [];
  engine.listen({ push: (event, payload) => void (event === 'trainer:exited' && told.push(payload as object)), presence() {} });
  engine.start();
  const newest = (): (typeof forks)[number] => forks.at(-1) as (typeof forks)[number];
  const trains = (presence: Presence | null): void => void newest().child.emit('message', { event: 'host:presence', payload: presence });
  trains(RUN);
  /** Ends it and waits for the next one. */
  const die = async (): Promise<string[]> => {
    const before = forks.length;
    newest().child.emit('exit', 9);
    await vi.waitUntil(() => forks.length > before, { timeout: 5000 });
    return newest().args;
  };
  return { kills, told, trains, die, newest };
}
const lostOf = (args: string[]): unknown => (args[0] === undefined ? null : JSON.parse(args[0].replace('--lost=', '')));

describe('the death of the engine process', () => {
  beforeEach(() => {
    forks.length = 0;
    app.removeAllListeners();
  });

  it('is put down to memory when the system counted a kill meanwhile; the next process is told which run was lost', async () => {
    const { kills, told, die } = training();
    kills.count = 8;
    expect(lostOf(await die())).toEqual({ runId: 'flowers-1', reason: 'the engine process ended with code 9', wasKilledForMemory: true });
    expect(told).toMatchObject([
      { runId: 'flowers-1', reason: expect.stringContaining('most likely because memory ran out'), resumable: true },
    ]);
  });

  it('is not, when no kill was counted since the run began, whatever was killed before', async () => {
    const { kills, told, trains, die } = training();
    kills.count = 8;
    trains({ ...RUN, runId: 'another' });
    expect(lostOf(await die())).toMatchObject({ runId: 'another', wasKilledForMemory: false });
    expect(told[0]?.reason).not.toContain('memory');
  });

  it('is, when the system says so itself, also after the exit, and where it counts nothing', async () => {
    const { kills, die, newest } = training();
    kills.count = null;
    newest().child.once('exit', () => app.emit('child-process-gone', {}, { name: 'PreLoRA engine', reason: 'oom' }));
    expect(lostOf(await die())).toMatchObject({ wasKilledForMemory: true });
    // Of the next one nothing was said.
    newest().child.emit('message', { event: 'host:presence', payload: RUN });
    expect(lostOf(await die())).toMatchObject({ wasKilledForMemory: false });
  });

  it('is not, when another process of the program ran out of memory', async () => {
    const { kills, die } = training();
    kills.count = null;
    app.emit('child-process-gone', {}, { name: 'Audio Service', reason: 'oom' });
    app.emit('child-process-gone', {}, { name: 'PreLoRA engine', reason: 'killed' });
    expect(lostOf(await die())).toMatchObject({ wasKilledForMemory: false });
  });

  it('loses nothing when nothing was trained', async () => {
    const { told, trains, die } = training();
    trains(null);
    expect(lostOf(await die())).toBeNull();
    expect(told).toEqual([]);
  });
});
