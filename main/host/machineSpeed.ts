/**
 * The machine's own rates, measured once in a process of their own (about 2 s) and kept in the data root, so that every estimate on this
 * machine starts from them. Another processor, engine or number of threads is another machine.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { MatrixProduct } from '../core/matrixProducts.ts';
import type { MachineSpeed } from '../core/predictedSpeed.ts';
import { findEngine } from '../engine/installed.ts';
import type { RunConfig } from '../protocol/config.ts';
import { writeJsonAtomically } from '../store/atomicFile.ts';
import { dataRoot } from '../store/paths.ts';
import { ownSide } from './bench/side.ts';

const FILE = 'machine-speed.json';
const Speeds = z.record(
  z.string(),
  z.object({ multiplyAddsPerSecond: z.number().positive(), updatedParametersPerSecond: z.number().positive() }),
);

/**
 * Rates where nothing was measured: native per core (ViT-Ti/4 at 32 px, batch 32, compiled, two cores: 0.50 s per step), and wasm's one
 * SIMD thread. AdamW moves 28 bytes per parameter.
 */
const NATIVE_PER_CORE = 45e9;
const WASM = 6e9;
const UPDATED_PER_SECOND = 3e8;

/** Products as they occur in blocks of a tiny and of a base ViT. */
const PROBES: readonly MatrixProduct[] = [
  { m: 2080, k: 192, n: 768, batch: 1, transposed: 'none', count: 1 },
  { m: 394, k: 768, n: 3072, batch: 1, transposed: 'none', count: 1 },
  { m: 768, k: 394, n: 3072, batch: 1, transposed: 'left', count: 1 },
];

type EngineSettings = Pick<RunConfig['engine'], 'backend' | 'threads'>;

export interface KnownSpeed extends MachineSpeed {
  /** False: constants stand in. */
  measured: boolean;
}

/** The rates if they were measured, else typical ones. Never measures: forms ask at every key press. */
export function knownSpeed(engine: EngineSettings): KnownSpeed {
  if (!isNative(engine)) return { multiplyAddsPerSecond: WASM, updatedParametersPerSecond: UPDATED_PER_SECOND, measured: false };
  const known = readSpeeds()[keyOf(engine)];
  if (known) return { ...known, measured: true };
  const threads = threadsOf(engine);
  return { multiplyAddsPerSecond: NATIVE_PER_CORE * threads, updatedParametersPerSecond: UPDATED_PER_SECOND, measured: false };
}

/** Measures the native engine, and remembers it unless the machine was busy with something else. Throws `engine-failed`, or what keeps the file from being written. */
export async function measureSpeed(engine: EngineSettings): Promise<KnownSpeed> {
  const side = ownSide(threadsOf(engine));
  try {
    const { seconds } = await side.ask('products', { products: [...PROBES] });
    const { secondsPerParameter } = await side.ask('update', {});
    const work = PROBES.reduce((sum, { m, k, n }) => sum + m * k * n, 0);
    const multiplyAddsPerSecond = work / seconds.reduce((sum, value) => sum + value, 0);
    const speed = { multiplyAddsPerSecond, updatedParametersPerSecond: 1 / secondsPerParameter };
    if (!isBusy()) {
      mkdirSync(dataRoot(), { recursive: true });
      await writeJsonAtomically(speedFile(), { ...readSpeeds(), [keyOf(engine)]: speed });
    }
    return { ...speed, measured: true };
  } finally {
    await side.close();
  }
}

/** Whether others use the cores, so that a time says nothing of the machine itself. */
export function isBusy(): boolean {
  return (os.loadavg()[0] as number) > os.availableParallelism() / 2;
}

/** Whether this config would train on the native engine here. */
export function isNative({ backend }: EngineSettings): boolean {
  return (backend === 'tensorflow' || backend === 'auto') && findEngine() !== null;
}

function threadsOf({ threads }: EngineSettings): number {
  return threads ?? os.availableParallelism();
}

function keyOf(engine: EngineSettings): string {
  return [os.cpus()[0]?.model ?? 'unknown', `${threadsOf(engine)} threads`, findEngine()?.manifest.version ?? 'none'].join(', ');
}

function speedFile(): string {
  return path.join(dataRoot(), FILE);
}

/** Nothing when the file is missing or not ours: it is measured again. */
function readSpeeds(): z.output<typeof Speeds> {
  try {
    return Speeds.parse(JSON.parse(readFileSync(speedFile(), 'utf8')));
  } catch {
    return {};
  }
}
