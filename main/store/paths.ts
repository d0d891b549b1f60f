/**
 * Where things lie: the data root (runs, engines, settings) and the resources that are shipped with the program. `PRELORA_DATA_DIR`
 * moves the data root; else it is the platform's place, on Linux that of the XDG base directory specification.
 */
import { existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PreloraError } from '../protocol/reply.ts';

const FOLDER = 'prelora-workbench';

/** What `dataRoot` depends on; handed in by tests. */
export interface Surroundings {
  env: Record<string, string | undefined>;
  platform: NodeJS.Platform;
  /** Throws or gives nothing useful when the user has no home. */
  home: () => string;
}

const here: Surroundings = { env: process.env, platform: process.platform, home: homedir };

/** The folder for everything the program keeps. It need not exist yet. */
export function dataRoot({ env, platform, home }: Surroundings = here): string {
  if (env.PRELORA_DATA_DIR) return path.resolve(env.PRELORA_DATA_DIR);
  const given = platform === 'win32' ? env.LOCALAPPDATA : platform === 'darwin' ? undefined : env.XDG_DATA_HOME;
  // The XDG specification: a relative path is invalid and to be ignored.
  if (given && path.isAbsolute(given)) return path.join(given, FOLDER);
  const below = { win32: 'AppData/Local', darwin: 'Library/Application Support' }[platform as string] ?? '.local/share';
  const base = homeFolder(home);
  // Accounts without a home (services, containers) still get a place of their own, though one that a restart may empty.
  return base === null ? path.join(tmpdir(), `${FOLDER}-${process.getuid?.() ?? 'user'}`) : path.join(base, below, FOLDER);
}

function homeFolder(home: () => string): string | null {
  try {
    const folder = home();
    return path.isAbsolute(folder) ? folder : null;
  } catch {
    return null;
  }
}

/** Where runs are created unless the user names a folder. */
export function runsRoot(surroundings: Surroundings = here): string {
  return path.join(dataRoot(surroundings), 'runs');
}

/** Where the queue of runs lies. */
export function queueFolder(surroundings: Surroundings = here): string {
  return path.join(dataRoot(surroundings), 'queue');
}

/** Where the images of compressed shards lie, and what is known of shards; may be deleted at any time between runs. */
export function unpackedFolder(surroundings: Surroundings = here): string {
  return path.join(dataRoot(surroundings), 'unpacked');
}

/** Where templates of the user's own lie. */
export function templatesFolder(surroundings: Surroundings = here): string {
  return path.join(dataRoot(surroundings), 'presets');
}

/**
 * The shipped `resources/` folder: beside the nearest package.json above this file that has one. The same walk works from the
 * sources (main/store), from dist/main/store and inside a packaged app.
 */
export function resourcesFolder(start = path.dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = start; ; folder = path.dirname(folder)) {
    const resources = path.join(folder, 'resources');
    if (existsSync(path.join(folder, 'package.json')) && existsSync(path.join(resources, 'presets'))) return resources;
    if (folder === path.dirname(folder)) break;
  }
  throw new PreloraError('internal', `no resources/presets in any folder above ${start}; the installation is incomplete`);
}
