/**
 * Where compute engines are kept: in the user's data directory, shared by all checkouts (architecture.md section 4, "Setup").
 * `PRELORA_ENGINES_DIR` puts them elsewhere. Follows the XDG base directory specification 0.8 and its equals on macOS and Windows.
 */
import os from 'node:os';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';

/** The folder that holds one sub-folder per installed engine. It need not exist yet. Throws `engine-install` when there is no home directory. */
export function enginesRoot(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  const override = env.PRELORA_ENGINES_DIR;
  if (override) return path.resolve(override);
  return path.join(userDataRoot(env, platform), 'prelora-workbench', 'engines');
}

function userDataRoot(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (platform === 'win32' && env.LOCALAPPDATA) return env.LOCALAPPDATA;
  // The specification says that a relative XDG_DATA_HOME is to be ignored.
  if (env.XDG_DATA_HOME && path.isAbsolute(env.XDG_DATA_HOME)) return env.XDG_DATA_HOME;
  const home = homeDirectory(env);
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support');
  return platform === 'win32' ? path.join(home, 'AppData', 'Local') : path.join(home, '.local', 'share');
}

/** HOME where it is set; else what the system's user list says, which is what os.homedir() reads then. */
function homeDirectory(env: NodeJS.ProcessEnv): string {
  if (env.HOME) return env.HOME;
  try {
    return os.homedir();
  } catch {
    throw new PreloraError('engine-install', 'no home directory: set HOME, or PRELORA_ENGINES_DIR to a folder for engines');
  }
}
