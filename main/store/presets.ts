/** The shipped presets: `resources/presets/{name}.yaml`, each a config file whose first comment says what it is for. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { parseConfigText } from './configFile.ts';
import { systemCode } from './diskFault.ts';
import { resourcesFolder } from './paths.ts';

export interface Preset {
  name: string;
  /** The comment at the top of the file, in one line. */
  description: string;
  /** The fields it sets, as read; not yet checked against the schema. */
  config: unknown;
}

function presetsFolder(): string {
  return path.join(resourcesFolder(), 'presets');
}

/** Names of all presets, sorted. */
export async function presetNames(folder = presetsFolder()): Promise<string[]> {
  const files = await readdir(folder);
  return files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'))
    .sort();
}

/** One preset. Throws `not-found` with the names there are, or `bad-config`. */
export async function readPreset(name: string, folder = presetsFolder()): Promise<Preset> {
  const file = path.join(folder, `${name}.yaml`);
  // A name, not a path: `../secret` is no preset.
  const text = /^[\w-]+$/.test(name) ? await readFile(file, 'utf8').catch(absent) : null;
  if (text === null)
    throw new PreloraError('not-found', `no preset "${name}"; there are ${(await presetNames(folder)).join(', ')}`, 'preset');
  return { name, description: leadingComment(text), config: parseConfigText(text, file) };
}

function absent(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

/** All presets, by name. */
export async function listPresets(folder = presetsFolder()): Promise<Preset[]> {
  return Promise.all((await presetNames(folder)).map((name) => readPreset(name, folder)));
}

function leadingComment(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .map((line) => line.replace(/^#\s*/, '').trim())
    .join(' ');
}
