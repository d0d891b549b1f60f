/**
 * Looks for places that a bundle from elsewhere names as its data: ours hold references there (bundleMask.ts). A path would make the program
 * open whatever its writer chose, a share of another machine for one, as soon as somebody evaluates the run.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkpointFolder, STATE_FILE } from './checkpoint.ts';
import { listCheckpoints } from './checkpointFolder.ts';
import { parseJson } from './json.ts';
import { isReference, memberOf, PATH_FIELDS, SHIPPED_SOURCES } from './namedData.ts';
import { CONFIG_FILE, RECORD_FILES, readRawConfig, readRecords } from './runFolder.ts';

export interface NamedPlace {
  /** Within the run, with `/` between folders. */
  file: string;
  field: string;
}

/** The first place named in a config of the run: its own, a checkpoint's, or one that the journal changed. Null when there is none. */
export async function findNamedPlace(runDir: string): Promise<NamedPlace | null> {
  const own = placeIn(await readRawConfig(runDir));
  if (own !== null) return { file: CONFIG_FILE, field: own };
  for (const { step } of (await listCheckpoints(runDir)).checkpoints) {
    const state = parseJson(await readFile(path.join(checkpointFolder(runDir, step), STATE_FILE), 'utf8').catch(() => ''));
    const field = placeIn((state as { config?: unknown } | null)?.config);
    if (field !== null) return { file: `checkpoints/step-${step}/${STATE_FILE}`, field };
  }
  for (const { kind, detail } of await readRecords(runDir, 'events')) {
    const field = String(detail.field);
    if (kind === 'edited' && PATH_FIELDS.some(([section, name]) => field === section || field.startsWith(`${section}.${name}`)))
      return { file: RECORD_FILES.events.name, field };
  }
  return null;
}

function placeIn(config: unknown): string | null {
  const found = PATH_FIELDS.find((field) => isPlace(memberOf(config, field)));
  return found ? found.join('.') : null;
}

function isPlace(value: unknown): boolean {
  return value !== undefined && value !== null && !SHIPPED_SOURCES.has(value as string) && !isReference(value);
}
