/**
 * The engines that are installed: one folder each below enginesRoot(), whole exactly when its engine.json is there and the files named in it
 * have their sizes. Layout inside is tfjs-node's own, because the addon finds its library by `$ORIGIN/../../deps/lib`:
 *   engine.json   lib/napi-v8/tfjs_binding.node   deps/lib/libtensorflow…
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { EngineManifest, type EngineVariant } from '../protocol/engine.ts';
import { enginesRoot } from './paths.ts';

export const ADDON = path.join('lib', 'napi-v8', 'tfjs_binding.node');
export const LIBRARIES = path.join('deps', 'lib');
export const MANIFEST = 'engine.json';

export interface InstalledEngine {
  folder: string;
  manifest: EngineManifest;
  /** Absolute path of the native addon. */
  addon: string;
}

/** `process.platform`-`process.arch`, as engine.json records it. */
export const hostPlatform = `${process.platform}-${process.arch}`;

/** Folder of one engine below the root. */
export function engineFolder(root: string, variant: EngineVariant, version: string): string {
  return path.join(root, `tensorflow-${version}-${variant}`);
}

/** All whole engines for this platform, newest first. Folders that are damaged or belong to another platform are passed over. */
export function listEngines(root: string = enginesRoot()): InstalledEngine[] {
  return folders(root)
    .map(readEngine)
    .filter((engine) => engine !== null)
    .sort((a, b) => b.manifest.installedAt.localeCompare(a.manifest.installedAt));
}

/** The engine to use: the wanted variant's newest; without a wish a GPU engine before a CPU one. Null when there is none. */
export function findEngine(variant?: EngineVariant, root: string = enginesRoot()): InstalledEngine | null {
  const engines = listEngines(root);
  if (variant) return engines.find((engine) => engine.manifest.variant === variant) ?? null;
  return engines.find((engine) => engine.manifest.variant === 'gpu') ?? engines[0] ?? null;
}

/** A folder of an engine for this platform that is not whole: a file is missing or cut, or nothing describes it. */
export interface DamagedEngine {
  folder: string;
  variant: EngineVariant;
  version: string;
}

/** Engines that are passed over because they are damaged. */
export function listDamaged(root: string = enginesRoot()): DamagedEngine[] {
  return folders(root).flatMap((folder) => {
    const [, version, variant] = /^tensorflow-(.+)-(cpu|gpu)$/.exec(path.basename(folder)) ?? [];
    if (!version || !variant || readEngine(folder) || isForOtherPlatform(folder)) return [];
    return [{ folder, version, variant: variant as EngineVariant }];
  });
}

function isForOtherPlatform(folder: string): boolean {
  try {
    return EngineManifest.parse(JSON.parse(readFileSync(path.join(folder, MANIFEST), 'utf8'))).platform !== hostPlatform;
  } catch {
    return false;
  }
}

function folders(root: string): string[] {
  try {
    return readdirSync(root)
      .filter((name) => name.startsWith('tensorflow-'))
      .map((name) => path.join(root, name));
  } catch {
    return [];
  }
}

/** The engine in `folder`, or null when it is not whole. */
export function readEngine(folder: string): InstalledEngine | null {
  try {
    const manifest = EngineManifest.parse(JSON.parse(readFileSync(path.join(folder, MANIFEST), 'utf8')));
    if (manifest.platform !== hostPlatform) return null;
    // Sizes, not checksums: catches a file lost to a power cut, and costs nothing at every start.
    const isWhole = Object.entries(manifest.files).every(([name, { bytes }]) => statSync(path.join(folder, name)).size === bytes);
    return isWhole ? { folder, manifest, addon: path.join(folder, ADDON) } : null;
  } catch {
    return null;
  }
}
