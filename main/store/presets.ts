/**
 * Presets: `{name}.yaml`, each a config file whose first comment says what it is for. Shipped ones in `resources/presets`, templates of the
 * user's own in `presets` of the data root; a template cannot take the name of a shipped one.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { writeFileAtomically } from './atomicFile.ts';
import { formatYaml, parseConfigText } from './configFile.ts';
import { systemCode } from './diskFault.ts';
import { resourcesFolder, templatesFolder } from './paths.ts';

export interface Preset {
  name: string;
  /** The comment at the top of the file, in one line. */
  description: string;
  /** A template of the user's own. */
  isOwn: boolean;
  /** The fields it sets, as read; not yet checked against the schema. */
  config: unknown;
}

export interface PresetFolders {
  shipped: string;
  own: string;
}

const NAME = /^[\w-]{1,60}$/;

function presetFolders(): PresetFolders {
  return { shipped: path.join(resourcesFolder(), 'presets'), own: templatesFolder() };
}

/** Names of all presets, shipped ones first, sorted. */
async function presetNames(folders = presetFolders()): Promise<string[]> {
  const [shipped, own] = await Promise.all([namesIn(folders.shipped), namesIn(folders.own)]);
  return [...shipped, ...own.filter((name) => !shipped.includes(name))];
}

async function namesIn(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch((error: unknown) => (systemCode(error) === 'ENOENT' ? [] : Promise.reject(error)));
  return files
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'))
    .filter((name) => NAME.test(name))
    .sort();
}

/** One preset. Throws `not-found` with the names there are, or `bad-config`. */
export async function readPreset(name: string, folders = presetFolders()): Promise<Preset> {
  for (const folder of [folders.shipped, folders.own]) {
    const file = path.join(folder, `${name}.yaml`);
    // A name, not a path: `../secret` is no preset.
    const text = NAME.test(name) ? await readFile(file, 'utf8').catch(absent) : null;
    if (text === null) continue;
    return { name, description: leadingComment(text), isOwn: folder === folders.own, config: parseConfigText(text, file) };
  }
  throw new PreloraError('not-found', `no preset "${name}"; there are ${(await presetNames(folders)).join(', ')}`, 'preset');
}

function absent(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

/** All presets, shipped ones first. */
export async function listPresets(folders = presetFolders()): Promise<Preset[]> {
  return Promise.all((await presetNames(folders)).map((name) => readPreset(name, folders)));
}

/** Writes a template, or writes it anew. Throws `bad-arguments` for a name that is taken by a shipped preset or is none. */
export async function saveTemplate(name: string, config: object, folders = presetFolders()): Promise<void> {
  if (!NAME.test(name)) throw new PreloraError('bad-arguments', `template "${name}": only letters, digits, - and _, at most 60`, 'name');
  if ((await namesIn(folders.shipped)).includes(name))
    throw new PreloraError('bad-arguments', `template "${name}": a shipped preset has this name; take another`, 'name');
  await mkdir(folders.own, { recursive: true });
  await writeFileAtomically(path.join(folders.own, `${name}.yaml`), `# A template of your own.\n${formatYaml(config)}`);
}

/** Takes a template away. Throws `not-found` where there is none of that name. */
export async function removeTemplate(name: string, folders = presetFolders()): Promise<void> {
  const own = await namesIn(folders.own);
  if (!own.includes(name)) throw new PreloraError('not-found', `no template "${name}"; there are ${own.join(', ') || 'none'}`, 'name');
  await rm(path.join(folders.own, `${name}.yaml`));
}

function leadingComment(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .map((line) => line.replace(/^#\s*/, '').trim())
    .join(' ');
}
