/** An engine as far as its compute kernels go, and a compiler that makes them of nothing: what is compiled here is never loaded. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { vi } from 'vitest';
import { hostPlatform, type InstalledEngine, MANIFEST, readEngine } from '../../main/engine/installed.ts';
import type { EngineVariant } from '../../main/protocol/engine.ts';
import { temporaryFolder } from './temporaryFolder.ts';

/** An engine in an engines root of the test's own, which `PRELORA_ENGINES_DIR` names until the variables are put back. */
export function kernelEngine(root = enginesRoot(), variant: EngineVariant = 'cpu'): InstalledEngine {
  const folder = path.join(root, `tensorflow-1.0-${variant}`);
  mkdirSync(folder);
  const manifest = { format: 1, variant, version: '1.0', platform: hostPlatform, source: 'a test', addon: 'compiled', files: {} };
  writeFileSync(path.join(folder, MANIFEST), JSON.stringify({ ...manifest, installedAt: '2026-11-29T00:00:00Z' }));
  const engine = readEngine(folder);
  if (!engine) throw new Error(`${folder} is no engine`);
  return engine;
}

/** An empty engines root, named by `PRELORA_ENGINES_DIR`. */
export function enginesRoot(): string {
  const root = temporaryFolder();
  vi.stubEnv('PRELORA_ENGINES_DIR', root);
  return root;
}

/** A PATH with one g++ on it: it writes an empty file where `works`, and ends with status 1 where it does not; null for no compiler at all. */
export function onlyCompiler(works: boolean | null): void {
  const folder = path.join(temporaryFolder(), 'bin');
  mkdirSync(folder);
  const compile = works ? 'while [ "$1" != -o ]; do shift; done; : > "$2"' : 'exit 1';
  if (works !== null) writeFileSync(path.join(folder, 'g++'), `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${compile}\n`);
  if (works !== null) chmodSync(path.join(folder, 'g++'), 0o755);
  vi.stubEnv('PATH', folder);
  vi.stubEnv('CXX', '');
  vi.stubEnv('PRELORA_KERNELS', '1');
}

/** Kernels of another program or processor: built, but under another id. */
export function outOfDateKernels(engine: InstalledEngine): string {
  const addon = path.join(engine.folder, 'kernels', '0123456789ab', 'prelora_kernels.node');
  mkdirSync(path.dirname(addon), { recursive: true });
  writeFileSync(addon, 'old');
  return addon;
}

/** Ids of the kernels that lie beside an engine. */
export function kernelIds({ folder }: InstalledEngine): string[] {
  return readdirSync(path.join(folder, 'kernels')).sort();
}
