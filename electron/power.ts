/**
 * What the machine's power means for a run (product.md section 3, "Desktop"): the page warns of training on battery, and time asleep is told to the
 * engine where its clocks cannot tell (main/train/sleep.ts).
 */
import { powerMonitor } from 'electron';
import type { PowerSource } from '../main/protocol/events.ts';
import { isLinuxOnBattery } from './battery.ts';
import type { EngineProcess } from './engineProcess.ts';
import type { MainWindow } from './window.ts';

/** Nothing tells of a change on Linux: it is looked up, while a run trains. */
const LOOK_EVERY_MS = 30_000;

/** What is asked of the system; tests hand in their own. */
export interface PowerSystem {
  platform: NodeJS.Platform;
  isOnBattery(): Promise<boolean>;
  on(event: 'suspend' | 'resume' | 'on-ac' | 'on-battery', listener: () => void): void;
  /** Milliseconds on the wall. */
  now(): number;
}

export interface Power {
  source(): Promise<PowerSource>;
}

export function watchPower(
  window: Pick<MainWindow, 'send'>,
  engine: Pick<EngineProcess, 'listen' | 'tellSlept'>,
  system = ofMachine(),
): Power {
  let told = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const onBattery = await system.isOnBattery();
    if (onBattery !== told) window.send('power:changed', { onBattery } satisfies PowerSource);
    told = onBattery;
  };
  const source = async (): Promise<PowerSource> => {
    told = await system.isOnBattery();
    return { onBattery: told };
  };
  system.on('on-ac', () => void look());
  system.on('on-battery', () => void look());
  engine.listen({
    push() {},
    presence(presence) {
      const isTraining = presence?.status === 'running';
      if (isTraining && timer === undefined) void look();
      if (!isTraining) clearInterval(timer);
      timer = isTraining ? (timer ?? setInterval(() => void look(), LOOK_EVERY_MS)) : undefined;
    },
  });
  watchSleep(engine, system);
  return { source };
}

/** On Linux the clocks of the engine tell by themselves; told twice it would be counted twice. */
function watchSleep(engine: Pick<EngineProcess, 'tellSlept'>, { platform, on, now }: PowerSystem): void {
  if (platform === 'linux') return;
  let since: number | null = null;
  on('suspend', () => {
    since ??= now();
  });
  on('resume', () => {
    if (since !== null) engine.tellSlept(now() - since);
    since = null;
  });
}

function ofMachine(): PowerSystem {
  const { platform } = process;
  return {
    platform,
    isOnBattery: platform === 'linux' ? () => isLinuxOnBattery() : async () => powerMonitor.isOnBatteryPower(),
    // Its overloads name one event each.
    on: (event, listener) => void powerMonitor.on(event as 'suspend', listener),
    now: () => Date.now(),
  };
}
