/**
 * Whether a Linux machine runs on its battery, as the kernel tells (sysfs-class-power). Electron's powerMonitor answers for macOS and Windows
 * alone: on Linux Chromium has no source for it.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const SUPPLIES = '/sys/class/power_supply';

/** False where there is no battery or nobody says. A mouse's battery is none of the machine's. */
export async function isLinuxOnBattery(folder = SUPPLIES): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const supplies = await Promise.all(names.map((name) => readSupply(path.join(folder, name))));
  const isPlugged = supplies.some(({ type, online }) => type !== 'Battery' && online === '1');
  return !isPlugged && supplies.some(({ type, scope, status }) => type === 'Battery' && scope !== 'Device' && status === 'Discharging');
}

async function readSupply(folder: string): Promise<Record<'type' | 'scope' | 'status' | 'online', string>> {
  const read = async (name: string): Promise<string> => (await readFile(path.join(folder, name), 'utf8').catch(() => '')).trim();
  const [type, scope, status, online] = await Promise.all([read('type'), read('scope'), read('status'), read('online')]);
  return { type, scope, status, online };
}
