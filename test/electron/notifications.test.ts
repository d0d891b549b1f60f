/** What the shell notifies of, in which words, and where a click leads: from what the engine tells, without an Electron. */
import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { config } from '../../build/packaging/config.mjs';
import type { Presence } from '../../main/protocol/events.ts';
import { NotifiedEvents, ShellPreferences } from '../../main/protocol/shellPreferences.ts';

const shown: FakeNotification[] = [];

class FakeNotification extends EventEmitter {
  static isSupported = () => true;
  constructor(readonly words: { title: string; body: string }) {
    super();
  }
  show(): void {
    shown.push(this);
  }
}

vi.mock('electron', () => ({ app: {}, Notification: FakeNotification, dialog: {}, shell: {} }));
const { APP_ID, noticeOfPush, noticesOf, setupNotifications } = await import('../../electron/notifications.ts');

const RUNNING: Presence = {
  runId: 'flowers-1',
  name: 'flowers',
  status: 'running',
  phase: 'full',
  step: 300,
  totalSteps: 1000,
  etaSeconds: null,
  switchStep: null,
  best: null,
  message: null,
  isDiskLow: false,
};
const noticed = (changes: Partial<Presence>, before: Partial<Presence> = {}) =>
  noticesOf({ ...RUNNING, ...before }, { ...RUNNING, ...before, ...changes });

describe('a notice', () => {
  it('tells that a run switched, once, and leads to the record of the switch', () => {
    const place = { event: 'switched', runId: 'flowers-1', tab: 'switch' };
    expect(noticed({ switchStep: 320, phase: 'warmup', step: 323 })).toEqual([
      { ...place, title: 'flowers has switched to LoRA', body: 'Adapters since step 320.' },
    ]);
    expect(noticed({ step: 330 }, { switchStep: 320, phase: 'warmup' })).toEqual([]);
  });

  it('tells of the end with the best value, wherever the end came', () => {
    const best = { step: 250, epoch: 12, valTop1: 0.8812 };
    expect(noticed({ status: 'finished', step: 640, best })).toMatchObject([
      { event: 'finished', tab: 'live', title: 'flowers is finished', body: '640 steps are done, best top-1 88.1 % in epoch 12.' },
    ]);
  });

  it('tells of a divergence with its reason', () => {
    const message = 'head.weight is not finite at update 301';
    expect(noticed({ status: 'diverged', message })).toMatchObject([{ event: 'failed', title: 'flowers has stopped', body: message }]);
  });

  it('tells of a disk that fills up, and of a run that paused for it, but not of a pause by the user', () => {
    expect(noticed({ isDiskLow: true })).toMatchObject([{ event: 'disk', title: 'flowers has little disk left' }]);
    expect(noticed({ step: 400 }, { isDiskLow: true })).toEqual([]);
    const message = 'checkpoint step-400 needs 36.0 MiB, 12.0 MiB are free; free some space and resume';
    expect(noticed({ status: 'paused', message })).toMatchObject([{ event: 'disk', title: 'flowers is paused', body: message }]);
    expect(noticed({ status: 'paused' })).toEqual([]);
  });

  it('compares a run with itself alone: one that begins where another ended changes nothing', () => {
    expect(noticesOf(null, { ...RUNNING, switchStep: 5, isDiskLow: true })).toEqual([]);
    expect(noticesOf({ ...RUNNING, runId: 'other' }, { ...RUNNING, status: 'finished' })).toEqual([]);
    expect(noticesOf(RUNNING, null)).toEqual([]);
  });

  it('of a proposal and of a failure names the run last heard of', () => {
    const proposed = { runId: 'flowers-1', step: 320, dueStep: 400 };
    expect(noticeOfPush('switch:proposed', proposed, RUNNING)).toMatchObject({
      event: 'proposed',
      tab: 'switch',
      title: 'flowers: switch to LoRA proposed',
      body: 'The test passed at step 320. It happens at step 400 unless you turn it down.',
    });
    const exit = { runId: 'another', reason: 'the trainer process ended with SIGKILL', resumable: true };
    expect(noticeOfPush('trainer:exited', exit, RUNNING)).toMatchObject({ event: 'failed', title: 'A run has stopped', body: exit.reason });
    expect(noticeOfPush('runs:changed', { runIds: [] }, RUNNING)).toBeNull();
  });
});

describe('the shell', () => {
  /** Notifications of a run that ends, under these wishes. */
  function ended({ isFocused = false, notify = {} }: { isFocused?: boolean; notify?: Partial<NotifiedEvents> }) {
    shown.length = 0;
    const visited: unknown[] = [];
    const listeners: { presence(presence: Presence | null): void }[] = [];
    const preferences = ShellPreferences.parse({ notify });
    setupNotifications({
      window: { isFocused, showRun: (place: unknown) => visited.push(place) },
      engine: { listen: (listener: (typeof listeners)[number]) => listeners.push(listener) },
      settings: { preferences },
    } as unknown as Parameters<typeof setupNotifications>[0]);
    for (const status of ['running', 'finished'] as const) listeners[0]?.presence({ ...RUNNING, status });
    return visited;
  }

  it('shows it, and a click opens the run', () => {
    const visited = ended({});
    expect(shown.map(({ words }) => words.title)).toEqual(['flowers is finished']);
    shown[0]?.emit('click');
    expect(visited).toEqual([{ runId: 'flowers-1', tab: 'live' }]);
  });

  it('is quiet while the window has focus, and about events that are switched off', () => {
    ended({ isFocused: true });
    expect(shown).toEqual([]);
    ended({ notify: { finished: false } });
    expect(shown).toEqual([]);
    ended({ notify: { failed: false } });
    expect(shown).toHaveLength(1);
  });

  it('has every event switched on until the user says otherwise', () => {
    expect(Object.values(NotifiedEvents.parse({}))).toEqual(Array(5).fill(true));
  });

  it('goes by the id under which it is installed', () => {
    expect(APP_ID).toBe(config.appId);
  });
});
