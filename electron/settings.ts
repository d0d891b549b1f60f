/** The shell's own preferences: one small versioned file beside Electron's, replaced atomically. What cannot be read counts as not there. */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { app } from 'electron';
import { z } from 'zod';
import { ShellPreferences } from '../main/protocol/shellPreferences.ts';
import { writeJsonAtomically } from '../main/store/atomicFile.ts';

const SETTINGS_VERSION = 1;

const Bounds = z.object({ x: z.int().optional(), y: z.int().optional(), width: z.int().min(960), height: z.int().min(640) });
const SettingsFile = z.object({
  version: z.literal(SETTINGS_VERSION).default(SETTINGS_VERSION),
  bounds: Bounds.default({ width: 1440, height: 900 }),
  ...ShellPreferences.shape,
});
type Values = z.output<typeof SettingsFile>;

export class Settings {
  #values: Values;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    readonly file: string,
    values: Values,
  ) {
    this.#values = values;
  }

  get bounds(): Values['bounds'] {
    return this.#values.bounds;
  }

  get preferences(): ShellPreferences {
    const { notify, quitWithRun } = this.#values;
    return { notify, quitWithRun };
  }

  /** Keeps the change now and writes it in turn. A disk that refuses costs nothing but the memory of it. */
  update(changes: Partial<Values>): void {
    this.#values = { ...this.#values, ...changes };
    const values = this.#values;
    this.#writing = this.#writing
      .then(() => mkdir(path.dirname(this.file), { recursive: true }))
      .then(() => writeJsonAtomically(this.file, values))
      .catch((error: unknown) => console.error('settings are not saved:', error));
  }

  /** Resolves when everything is on the disk. */
  settled(): Promise<void> {
    return this.#writing;
  }
}

export async function loadSettings(file = path.join(app.getPath('userData'), 'settings.json')): Promise<Settings> {
  return new Settings(file, await readSettings(file));
}

async function readSettings(file: string): Promise<Values> {
  try {
    return SettingsFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return SettingsFile.parse({});
  }
}
