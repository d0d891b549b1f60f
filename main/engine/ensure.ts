/**
 * Gets the native engine once, for the commands that would be faster with it (`npm start`, `npm test`, `prelora train`): silently when it is
 * there, with progress when it is fetched, and with a reason – never an error – when it cannot be had. A failed attempt is not repeated for a
 * day, so that a machine without network does not wait at every command; `prelora engine install` always tries.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { type InstallOptions, installEngine } from './install.ts';
import { findEngine, type InstalledEngine } from './installed.ts';
import { ensureKernels } from './kernels.ts';
import { enginesRoot } from './paths.ts';

const FAILURE = 'last-failure.json';
const DAY_MS = 24 * 3600 * 1000;

export type EnsuredEngine = { engine: InstalledEngine } | { engine: null; why: string };

export interface EnsureOptions extends Omit<InstallOptions, 'variant'> {
  env?: NodeJS.ProcessEnv;
  /** Milliseconds since the epoch, for tests. */
  now?: () => number;
}

/** The engine that is installed, or one fetched now, or why there is none. Throws only `interrupted`. */
export async function ensureEngine(options: EnsureOptions = {}): Promise<EnsuredEngine> {
  const { env = process.env, now = Date.now, root = enginesRoot(env), ...rest } = options;
  const present = findEngine(undefined, root);
  if (present) return withKernels(present, rest);
  if (env.PRELORA_SKIP_ENGINE === '1') return { engine: null, why: 'PRELORA_SKIP_ENGINE=1 is set' };
  const failure = await recentFailure(root, now());
  if (failure) return { engine: null, why: `an install failed within the last day (${failure}); \`prelora engine install\` tries again` };
  try {
    const engine = await installEngine({ ...rest, variant: 'cpu', root });
    await forgetFailure(root);
    return await withKernels(engine, rest);
  } catch (error) {
    if (!(error instanceof PreloraError) || error.code !== 'engine-install') throw error;
    // Where not even the reason can be written down, the next command tries again.
    await writeFile(path.join(root, FAILURE), JSON.stringify({ at: now(), why: error.message })).catch(() => {});
    return { engine: null, why: error.message };
  }
}

export interface Installed {
  engine: InstalledEngine;
  /** False when the engine stood there before, whole, so that at most its compute kernels were compiled. */
  isNew: boolean;
  /** Why there are no compute kernels, which is no failure; null when there are. */
  withoutKernels: string | null;
}

/** An install that was asked for: the engine, and the compute kernels beside it, whatever failed before. Throws as `installEngine` does. */
export async function installWithKernels(options: InstallOptions): Promise<Installed> {
  const before = findEngine(options.variant, options.root);
  const engine = await installEngine(options);
  const isNew = before?.manifest.installedAt !== engine.manifest.installedAt;
  await forgetFailure(options.root);
  const { onProgress = () => {}, signal = new AbortController().signal } = options;
  return { engine, isNew, withoutKernels: await ensureKernels(engine, { onProgress, signal }, { again: true }) };
}

/** The engine with the compute kernels that fit this program and processor, where they can be had. */
async function withKernels(engine: InstalledEngine, { onProgress = () => {}, signal }: EnsureOptions): Promise<EnsuredEngine> {
  await ensureKernels(engine, { onProgress, signal: signal ?? new AbortController().signal });
  return { engine };
}

/** After an install that was asked for: automatic ones need not hold back any more. */
export async function forgetFailure(root: string = enginesRoot()): Promise<void> {
  await rm(path.join(root, FAILURE), { force: true });
}

/** Why the last attempt failed, when that is less than a day ago by a clock that has not been set back. */
async function recentFailure(root: string, now: number): Promise<string | null> {
  try {
    const { at, why } = JSON.parse(await readFile(path.join(root, FAILURE), 'utf8')) as { at: number; why: string };
    return now >= at && now - at < DAY_MS ? why : null;
  } catch {
    return null;
  }
}
