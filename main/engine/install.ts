/**
 * Finds, fetches and removes native engines (architecture.md section 4, "Setup"; reliability.md R17). An install is built in a folder of its
 * own, tested in a child process, described by engine.json, and only then renamed to where engines are looked for: killed at any moment it
 * leaves no half engine, and a repeat goes on from the bytes that were downloaded. Loads no tfjs.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EngineManifest, EngineVariant } from '../protocol/engine.ts';
import { PreloraError } from '../protocol/reply.ts';
import { type AddonTest, makeAddon, testAddon } from './addon.ts';
import { takeArchiveRoad } from './archiveRoad.ts';
import { damagedFile, fileSums } from './fileSums.ts';
import {
  engineFolder,
  findEngine,
  hostPlatform,
  type InstalledEngine,
  listDamaged,
  listEngines,
  MANIFEST,
  readEngine,
} from './installed.ts';
import { sweepLockRequests, takeInstallLock, takeInstallLockNow } from './installLock.ts';
import { checkNotStopped, type InstallContext, type InstallProgress, inMegabytes, RoadClosed } from './installProgress.ts';
import { enginesRoot } from './paths.ts';
import { type ArchiveRecipe, type EngineSources, engineSources, type WheelRecipe } from './sources.ts';
import { adoptPipDownloads } from './wheelFile.ts';
import { takeWheelRoad } from './wheelRoad.ts';

export type { InstallProgress } from './installProgress.ts';

export interface InstallOptions {
  variant: EngineVariant;
  onProgress?: (progress: InstallProgress) => void;
  signal?: AbortSignal;
  /** Where engines live; default enginesRoot(). */
  root?: string;
  sources?: EngineSources;
  /** Command that starts a Python with pip, null to do without; default `python3`. */
  python?: string | null;
  /** How the addon is made and tested; another way only where there is no process to start, and in tests. */
  makeAddon?: typeof makeAddon;
  testAddon?: typeof testAddon;
  /** A repair: an engine that is there counts only when every file is what was installed, and is replaced once a new one is whole. */
  repair?: boolean;
}

type Plan = Required<Omit<InstallOptions, 'onProgress' | 'signal'>>;

/** A built engine, not yet where engines are looked for. */
interface Built {
  source: string;
  addon: EngineManifest['addon'];
  test: AddonTest;
}

const DOWNLOADS = 'downloads';
const BUILDING = 'building-';
const REMOVED = 'removed-';

/**
 * Installs an engine, or gives back the one that is there. Waits for another process's install.
 * @throws `engine-install` with every reason when no source can be had, a checksum is wrong, or the disk is full or not writable;
 * `interrupted` when `signal` stops it. In all cases nothing that was installed before is harmed.
 */
export async function installEngine(options: InstallOptions): Promise<InstalledEngine> {
  const plan = resolvePlan(options);
  const { onProgress = () => {}, signal = new AbortController().signal } = options;
  const context: InstallContext = { onProgress, signal };
  const found = findEngine(plan.variant, plan.root);
  const damaged = found && plan.repair && (await isDamaged(found, context)) ? found : null;
  const present = damaged ? null : found;
  if (present) {
    // Tidiness only: that the folder cannot be written does not take the engine away.
    await clearLeftovers(plan.root).catch(() => {});
    return present;
  }
  try {
    await mkdir(plan.root, { recursive: true });
    const release = await takeInstallLock(plan.root, context);
    try {
      const byOther = findEngine(plan.variant, plan.root);
      if (byOther && byOther.manifest.installedAt !== damaged?.manifest.installedAt) return byOther;
      const engine = await installLocked(plan, context);
      if (damaged && damaged.folder !== engine.folder) await discard(damaged.folder, plan.root);
      return engine;
    } finally {
      await release();
    }
  } catch (error) {
    checkNotStopped(context);
    throw installFault(error, plan.root);
  }
}

/** Reads every file, so it takes seconds. */
async function isDamaged({ folder, manifest: { files } }: InstalledEngine, context: InstallContext): Promise<boolean> {
  const total = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  const file = await damagedFile(folder, files, (done) => {
    checkNotStopped(context);
    context.onProgress({ stage: 'check', message: 'comparing the installed files with their checksums', done, total });
  });
  if (file !== null) context.onProgress({ stage: 'check', message: `${file} is not what was installed` });
  return file !== null;
}

function resolvePlan(options: InstallOptions): Plan {
  return {
    variant: options.variant,
    root: options.root ?? enginesRoot(),
    sources: options.sources ?? engineSources,
    python: options.python === undefined ? 'python3' : options.python,
    makeAddon: options.makeAddon ?? makeAddon,
    testAddon: options.testAddon ?? testAddon,
    repair: options.repair ?? false,
  };
}

/** The holder of the lock is alone, so whatever lies half-built is some killed install's. */
async function installLocked(plan: Plan, context: InstallContext): Promise<InstalledEngine> {
  await sweep(plan.root);
  const reasons: string[] = [];
  for (const recipe of recipesFor(plan)) {
    const work = path.join(plan.root, `${BUILDING}${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      await mkdir(work);
      await checkSpace(plan.root, recipe.diskBytes);
      const built = await build(recipe, work, plan, context);
      return await putInPlace(built, work, plan);
    } catch (error) {
      checkNotStopped(context);
      if (!(error instanceof RoadClosed)) throw error;
      reasons.push(error.message);
    } finally {
      await adoptPipDownloads(work, path.join(plan.root, DOWNLOADS));
      await rm(work, { recursive: true, force: true });
    }
  }
  const why = reasons.length > 0 ? reasons.join('; ') : `there is no source for ${hostPlatform}`;
  throw new PreloraError('engine-install', `no ${plan.variant} engine could be had: ${why}`);
}

function recipesFor({ variant, sources }: Plan): (WheelRecipe | ArchiveRecipe)[] {
  return [...sources.wheels, ...sources.archives].filter((recipe) => recipe.variant === variant && recipe.platform === hostPlatform);
}

/** An install that was killed when its engine stood already leaves a lock and downloads; unless another install runs, they go now. */
async function clearLeftovers(root: string): Promise<void> {
  const engines = new Set(listEngines(root).map(({ folder }) => path.basename(folder)));
  if ((await readdir(root)).every((name) => engines.has(name))) return;
  const release = await takeInstallLockNow(root);
  if (typeof release !== 'function') return;
  try {
    await sweep(root);
    await rm(path.join(root, DOWNLOADS), { recursive: true, force: true });
  } finally {
    await release();
  }
}

/** Removes what killed installs left; what their pip had downloaded is kept. */
async function sweep(root: string): Promise<void> {
  await sweepLockRequests(root);
  for (const name of await readdir(root)) {
    if (name.startsWith(BUILDING)) await adoptPipDownloads(path.join(root, name), path.join(root, DOWNLOADS));
    if (name.startsWith(BUILDING) || name.startsWith(REMOVED)) await rm(path.join(root, name), { recursive: true, force: true });
  }
}

async function checkSpace(root: string, wantedBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= wantedBytes) return;
  throw new PreloraError(
    'engine-install',
    `${root} has ${inMegabytes(bavail * bsize)} free, an engine needs ${inMegabytes(wantedBytes)} while it is installed`,
  );
}

async function build(recipe: WheelRecipe | ArchiveRecipe, work: string, plan: Plan, context: InstallContext): Promise<Built> {
  if ('library' in recipe) {
    await takeArchiveRoad(recipe, work, context);
    return { source: `${recipe.library} (no published checksum)`, addon: 'prebuilt', test: await plan.testAddon(work, context) };
  }
  const places = { downloads: path.join(plan.root, DOWNLOADS), work, index: plan.sources.index, python: plan.python };
  await takeWheelRoad(recipe, places, context);
  const addon = await plan.makeAddon(work, context);
  const test = await plan.testAddon(work, context);
  return { source: `wheels ${recipe.wheels.map((wheel) => wheel.file).join(', ')}`, addon, test };
}

/** Writes engine.json and renames. Headers and downloads have served by now. */
async function putInPlace(built: Built, work: string, plan: Plan): Promise<InstalledEngine> {
  await rm(path.join(work, 'deps', 'include'), { recursive: true, force: true });
  await rm(path.join(work, 'pip'), { recursive: true, force: true });
  const manifest: EngineManifest = {
    format: 1,
    variant: plan.variant,
    version: built.test.version,
    platform: hostPlatform,
    source: built.source,
    addon: built.addon,
    files: await fileSums(work),
    installedAt: new Date().toISOString(),
  };
  await writeFile(path.join(work, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  const folder = engineFolder(plan.root, plan.variant, manifest.version);
  // Something may stand there that is not whole, or installEngine would have returned it.
  await moveAside(folder, plan.root);
  await rename(work, folder);
  await sweep(plan.root);
  await rm(path.join(plan.root, DOWNLOADS), { recursive: true, force: true });
  const engine = readEngine(folder);
  if (!engine) throw new Error(`the engine in ${folder} does not read back`);
  return engine;
}

async function moveAside(folder: string, root: string): Promise<void> {
  await rename(folder, path.join(root, `${REMOVED}${randomBytes(4).toString('hex')}`)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Moved aside first: a kill in the middle leaves no half engine. */
async function discard(folder: string, root: string): Promise<void> {
  await moveAside(folder, root);
  await sweep(root);
}

/** Removes the engines of a variant, or all, damaged ones too; running processes keep what they have loaded. Returns the folders that are gone. */
export async function removeEngine(options: { variant?: EngineVariant; root?: string } = {}): Promise<string[]> {
  const { variant, root = enginesRoot() } = options;
  const doomed = engineFolders(root, variant);
  if (doomed.length === 0) return [];
  const release = await takeInstallLock(root, { onProgress: () => {}, signal: new AbortController().signal });
  try {
    for (const folder of doomed) await discard(folder, root);
  } catch (error) {
    throw installFault(error, root);
  } finally {
    await release();
  }
  return doomed;
}

/** Folders of a variant's engines, or of all, whole or not. */
export function engineFolders(root: string = enginesRoot(), variant?: EngineVariant): string[] {
  const whole = listEngines(root).map(({ folder, manifest }) => ({ folder, variant: manifest.variant }));
  return [...whole, ...listDamaged(root)].filter((engine) => !variant || engine.variant === variant).map(({ folder }) => folder);
}

export interface EngineStatus {
  root: string;
  installed: (Omit<EngineManifest, 'files'> & { folder: string; bytes: number })[];
  /** Variants that can be installed on this platform. */
  installable: EngineVariant[];
}

/** What is installed and what could be. Touches neither network nor tfjs. */
export function engineStatus(root: string = enginesRoot(), sources: EngineSources = engineSources): EngineStatus {
  const recipes = [...sources.wheels, ...sources.archives].filter(({ platform }) => platform === hostPlatform);
  return {
    root,
    installed: listEngines(root).map(({ folder, manifest: { files, ...rest } }) => ({
      ...rest,
      folder,
      bytes: Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0),
    })),
    installable: [...new Set(recipes.map(({ variant }) => variant))],
  };
}

/** System faults in words; everything that is meant for people already stays as it is. */
function installFault(error: unknown, root: string): Error {
  if (error instanceof PreloraError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new PreloraError('engine-install', `the disk is full at ${root}; free some space and repeat`);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new PreloraError('engine-install', `${root} is not writable (${code}); set PRELORA_ENGINES_DIR to a folder that is`);
  }
  return new PreloraError('engine-install', `the engine install failed: ${message}`);
}
