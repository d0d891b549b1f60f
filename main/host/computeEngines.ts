/** The compute engines of this machine as the page shows them. Looked up, not loaded: the host never loads a backend. */
import { engineFolders, engineStatus } from '../engine/install.ts';
import { findEngine, type InstalledEngine, listDamaged } from '../engine/installed.ts';
import { whyNoKernels } from '../engine/kernels.ts';
import { EngineVariant } from '../protocol/engine.ts';
import type { AppDescription, ComputeEngine } from '../protocol/results.ts';
import { folderBytes } from '../store/folderBytes.ts';

const WASM: ComputeEngine = {
  name: 'wasm',
  available: true,
  version: '',
  device: 'CPU',
  why: 'always there; one thread with SIMD',
  installed: null,
};
const PLAIN: ComputeEngine = { ...WASM, name: 'cpu', why: 'always there; for tests, far slower than all others' };
const ABSENT: ComputeEngine = { ...WASM, name: 'tensorflow', available: false, device: '', why: 'not installed yet' };
const DEVICES: Record<EngineVariant, string> = { cpu: 'CPU', gpu: 'GPU or CPU' };

/** What `auto` would choose among, in its order: native engines that are whole, damaged ones, then what is part of the program. */
export async function describeEngines(): Promise<ComputeEngine[]> {
  const natives = (await Promise.all(EngineVariant.options.map(describeVariant))).flat();
  const used = findEngine()?.manifest.variant;
  const order = ({ available, installed }: ComputeEngine): number => (!available ? 2 : installed?.variant === used ? 0 : 1);
  return [...(natives.length > 0 ? natives.sort((a, b) => order(a) - order(b)) : [ABSENT]), WASM, PLAIN];
}

/** Variants for this platform that are not there. A damaged one is there: it is repaired. */
export function installableEngines(): AppDescription['installableEngines'] {
  return engineStatus().installable.filter((variant) => engineFolders(undefined, variant).length === 0);
}

/** What the folders of a variant take, the compute kernels included. */
export async function bytesOfVariant(variant: EngineVariant): Promise<number> {
  const sizes = await Promise.all(engineFolders(undefined, variant).map(folderBytes));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

async function describeVariant(variant: EngineVariant): Promise<ComputeEngine[]> {
  const engine = findEngine(variant);
  const [damaged] = listDamaged().filter((folder) => folder.variant === variant);
  if (!engine && !damaged) return [];
  const installed = { variant, bytes: await bytesOfVariant(variant), isWhole: engine !== null };
  const about = { name: 'tensorflow' as const, device: DEVICES[variant], installed };
  if (engine) return [{ ...about, available: true, version: engine.manifest.version, why: await whyUsed(engine) }];
  return [
    { ...about, available: false, version: damaged?.version ?? '', why: 'a file of it is missing or cut; a repair installs it anew' },
  ];
}

/** Why it is not used, or its steps are slower than they could be. Where it comes from stands in its manifest. */
async function whyUsed(engine: InstalledEngine): Promise<string> {
  const { variant } = engine.manifest;
  if (findEngine()?.manifest.variant !== variant) return 'not used while the GPU engine is there';
  const why = variant === 'cpu' ? await whyNoKernels(engine) : null;
  return why ? `no compute kernels of our own, so steps are slower: ${why}` : 'the native engine is installed';
}
