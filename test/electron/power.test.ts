/** Battery and sleep as the shell sees them, with a system handed in; and what the Linux kernel tells of its supplies. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Presence } from '../../main/protocol/events.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

vi.mock('electron', () => ({ powerMonitor: {} }));
const { isLinuxOnBattery } = await import('../../electron/battery.ts');
const { watchPower } = await import('../../electron/power.ts');

type System = NonNullable<Parameters<typeof watchPower>[2]>;

function setup(platform: NodeJS.Platform) {
  const state = { onBattery: false, now: 0 };
  const listeners = new Map<string, () => void>();
  const pushed: unknown[] = [];
  const slept: number[] = [];
  const follow: { presence(presence: Presence | null): void }[] = [];
  const system: System = {
    platform,
    isOnBattery: async () => state.onBattery,
    on: (event, listener) => void listeners.set(event, listener),
    now: () => state.now,
  };
  const power = watchPower(
    { send: (event, payload) => void pushed.push([event, payload]) },
    { listen: (listener) => void follow.push(listener), tellSlept: (ms) => void slept.push(ms) },
    system,
  );
  const emit = (event: string): void => listeners.get(event)?.();
  const presence = (status: Presence['status'] | null): void => follow[0]?.presence(status === null ? null : ({ status } as Presence));
  return { power, state, pushed, slept, emit, presence };
}

describe('the power source', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is told to the page when it changes, once each way', async () => {
    const { state, pushed, emit } = setup('darwin');
    state.onBattery = true;
    emit('on-battery');
    emit('on-battery');
    await vi.advanceTimersByTimeAsync(0);
    state.onBattery = false;
    emit('on-ac');
    await vi.advanceTimersByTimeAsync(0);
    expect(pushed).toEqual([
      ['power:changed', { onBattery: true }],
      ['power:changed', { onBattery: false }],
    ]);
  });

  it('is looked up again and again while a run trains, for systems that tell of no change, and left alone otherwise', async () => {
    const { state, pushed, presence } = setup('linux');
    presence('running');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pushed).toEqual([]);
    state.onBattery = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(pushed).toEqual([['power:changed', { onBattery: true }]]);
    presence('paused');
    state.onBattery = false;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(pushed).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    presence('running');
    await vi.advanceTimersByTimeAsync(0);
    expect(pushed).toHaveLength(2);
  });

  it('is answered when the page asks, as it is now', async () => {
    const { power, state } = setup('win32');
    expect(await power.source()).toEqual({ onBattery: false });
    state.onBattery = true;
    expect(await power.source()).toEqual({ onBattery: true });
  });
});

describe('a sleep', () => {
  it('is told to the engine where its clocks go on meanwhile, and not where they tell by themselves', () => {
    for (const platform of ['darwin', 'win32', 'linux'] as const) {
      const { state, slept, emit } = setup(platform);
      emit('resume');
      state.now = 1000;
      emit('suspend');
      // Windows tells twice of a sleep that becomes a hibernation.
      state.now = 2000;
      emit('suspend');
      state.now = 2_581_000;
      emit('resume');
      emit('resume');
      expect(slept, platform).toEqual(platform === 'linux' ? [] : [2_580_000]);
    }
  });
});

describe('a Linux machine', () => {
  /** A folder as sysfs has it. */
  function supplies(all: Record<string, Record<string, string>>): string {
    const folder = path.join(temporaryFolder(), 'power_supply');
    for (const [name, files] of Object.entries(all)) {
      mkdirSync(path.join(folder, name), { recursive: true });
      for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, name, file), `${text}\n`);
    }
    return folder;
  }
  const AC = { type: 'Mains', online: '0' };
  const BATTERY = { type: 'Battery', status: 'Discharging' };

  it('is on battery when its battery discharges and nothing is plugged in', async () => {
    expect(await isLinuxOnBattery(supplies({ AC, BAT0: BATTERY }))).toBe(true);
    expect(await isLinuxOnBattery(supplies({ BAT0: { type: 'Battery', status: 'Full' }, BAT1: BATTERY }))).toBe(true);
  });

  it('is not when it is plugged in, charges, has no battery, or only its mouse has one', async () => {
    expect(await isLinuxOnBattery(supplies({ AC: { ...AC, online: '1' }, BAT0: BATTERY }))).toBe(false);
    expect(await isLinuxOnBattery(supplies({ usb: { type: 'USB', online: '1' }, BAT0: BATTERY }))).toBe(false);
    expect(await isLinuxOnBattery(supplies({ AC, BAT0: { type: 'Battery', status: 'Charging' } }))).toBe(false);
    expect(await isLinuxOnBattery(supplies({ AC, hidpp_battery_0: { ...BATTERY, scope: 'Device' } }))).toBe(false);
    expect(await isLinuxOnBattery(supplies({}))).toBe(false);
    expect(await isLinuxOnBattery(path.join(temporaryFolder(), 'not there'))).toBe(false);
  });
});
