/**
 * Data of a run that came in a bundle, named again: its files hold references where paths stood (protocol/dataReference.ts), and where the
 * data lies on this machine stands in a file of its own, so that checkpoints keep their hashes. It never goes into another bundle.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DataReference, NamedData, referenceText, referenceWords } from '../protocol/dataReference.ts';
import { writeJsonAtomically } from './atomicFile.ts';
import { parseJson } from './json.ts';

export const NAMED_DATA_FILE = 'named-data.json';

/** Fields of a config that hold paths. */
export const PATH_FIELDS = [
  ['data', 'source'],
  ['data', 'valSource'],
  ['model', 'startFrom'],
] as const;
/** Sources that are the same on every machine. */
export const SHIPPED_SOURCES: ReadonlySet<string> = new Set(['sample', 'fashion-mnist']);
type PathField = (typeof PATH_FIELDS)[number];

/** A config as read from a file, each reference replaced by what was named for it, else by its text. Others come back as they are. */
export async function withNamedData(runDir: string, config: unknown): Promise<unknown> {
  const referenced = PATH_FIELDS.filter((field) => isReference(memberOf(config, field)));
  if (referenced.length === 0) return config;
  const named = await readNamedData(runDir);
  const edited = structuredClone(config) as Record<string, Record<string, unknown>>;
  for (const [section, name] of referenced) {
    const reference = DataReference.safeParse(edited[section]?.[name]);
    const text = named[`${section}.${name}`] ?? (reference.success ? referenceText(reference.data) : undefined);
    if (text !== undefined) Object.assign(edited[section] as object, { [name]: text });
  }
  return edited;
}

/** What a config holds at a field; undefined where it has none. */
export function memberOf(config: unknown, [section, name]: PathField): unknown {
  return (config as Record<string, Record<string, unknown> | null> | null)?.[section]?.[name];
}

/** References keep their objects in files that came in a bundle; a fork of such a run has their texts. */
export function isReference(value: unknown): boolean {
  return DataReference.safeParse(value).success || (typeof value === 'string' && referenceWords(value) !== null);
}

/** Where the data of the run in `dir` lies from now on. */
export async function nameData(runDir: string, named: NamedData): Promise<void> {
  await writeJsonAtomically(path.join(runDir, NAMED_DATA_FILE), { ...(await readNamedData(runDir)), ...named });
}

async function readNamedData(runDir: string): Promise<NamedData> {
  const text = await readFile(path.join(runDir, NAMED_DATA_FILE), 'utf8').catch(() => '');
  const parsed = NamedData.safeParse(parseJson(text));
  return parsed.success ? parsed.data : {};
}
