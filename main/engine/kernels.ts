/**
 * Our own compute kernels for the native engine on CPUs (resources/kernels): matrix product, LayerNorm, GELU, attention and AdamW as TensorFlow
 * operations that go over memory once. C++ is compiled here, for this processor, by the compiler that is there; without one TensorFlow's own
 * operations do the same work with more passes. They lie beside the engine under a name made of sources, processor and compiler, so that a
 * newer program or another machine never loads what does not fit.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { besideArchive, findCompiler } from './compiler.ts';
import { type InstalledEngine, LIBRARIES } from './installed.ts';
import type { InstallContext } from './installProgress.ts';

const require = createRequire(import.meta.url);
const run = promisify(execFile);

const ADDON = 'prelora_kernels.node';
const FAILURE = 'failure.txt';
const NOT_COMPILED = 'they are not compiled yet';
const NO_COMPILER = 'no C++ compiler (g++ or clang++) was found';
const FLAGS = ['-std=c++17', '-O3', '-march=native', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread'];

/** Id of the kernels in this process, once they are loaded: TensorFlow's registry of operations belongs to the process. */
let loaded: string | null = null;

/** True when the operations `Prelora…` exist in this process and are wanted: `PRELORA_KERNELS=0` does without. */
export function hasKernels(): boolean {
  return loaded !== null && process.env.PRELORA_KERNELS !== '0';
}

/**
 * Loads the kernels that fit this program, engine and processor, where they have been built. TensorFlow's library must be loaded. Returns their id,
 * or null when there are none or they are not wanted.
 */
export function loadKernels(engine: InstalledEngine): string | null {
  if (process.env.PRELORA_KERNELS === '0') return null;
  if (loaded) return loaded;
  const id = kernelsId();
  const addon = path.join(kernelsFolder(engine, id), ADDON);
  if (!existsSync(addon)) return null;
  require(addon);
  loaded = id;
  return id;
}

/**
 * Compiles the kernels, about 10 s, unless they are there or failed to compile before (`again` tries once more). Only for CPU engines: on a GPU
 * they would take the data off the device. Never throws: a step without them is slower, not wrong. Gives back the reason when there are none.
 */
export async function ensureKernels(engine: InstalledEngine, context: InstallContext, { again = false } = {}): Promise<string | null> {
  const folder = kernelsFolder(engine, kernelsId());
  if (existsSync(path.join(folder, ADDON))) return null;
  const reason = knownReason(engine);
  const hasFailed = reason !== null && existsSync(path.join(folder, FAILURE));
  if (reason && !(hasFailed && again)) return reason;
  const compiler = await findCompiler();
  if (!compiler) return NO_COMPILER;
  context.onProgress({ stage: 'compile', message: `compiling the compute kernels with ${compiler} (about 10 s)` });
  try {
    await build(compiler, engine, folder, context.signal);
    return null;
  } catch (error) {
    if (context.signal.aborted) return 'compiling them was cancelled';
    const reason = `${compiler} failed: ${(error as Error).message.split('\n')[0]}`;
    await writeFile(path.join(folder, FAILURE), reason).catch(() => {});
    return reason;
  }
}

/** Why steps on this engine do without our kernels; null when these are there and wanted. */
export async function whyNoKernels(engine: InstalledEngine): Promise<string | null> {
  if (areKernelsBuilt(engine)) return null;
  if (process.env.PRELORA_KERNELS === '0') return 'PRELORA_KERNELS=0 is set';
  return knownReason(engine) ?? ((await findCompiler()) ? NOT_COMPILED : NO_COMPILER);
}

/** True when they are missing, wanted, and may be compiled here; one failure is enough. */
export async function canCompileKernels(engine: InstalledEngine): Promise<boolean> {
  return (await whyNoKernels(engine)) === NOT_COMPILED;
}

/** A reason that holds before any compiler is asked: the kind of engine, or that they failed to compile before. */
function knownReason(engine: InstalledEngine): string | null {
  if (engine.manifest.variant !== 'cpu' || engine.manifest.addon !== 'compiled') return 'the kernels are for CPU engines compiled here';
  const failure = path.join(kernelsFolder(engine, kernelsId()), FAILURE);
  return existsSync(failure) ? readFileSync(failure, 'utf8') : null;
}

/** True when kernels for this program, engine and processor lie beside the engine and are wanted. */
export function areKernelsBuilt(engine: InstalledEngine): boolean {
  return process.env.PRELORA_KERNELS !== '0' && existsSync(path.join(kernelsFolder(engine, kernelsId()), ADDON));
}

/** Beside, then renamed: a killed compiler leaves nothing that would be loaded. */
async function build(compiler: string, engine: InstalledEngine, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true });
  const beside = path.join(folder, `${ADDON}.${process.pid}`);
  try {
    const libraries = path.join(engine.folder, LIBRARIES);
    const links = [`-L${libraries}`, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib'];
    await run(compiler, [...FLAGS, path.join(sourcesFolder(), 'operations.cc'), '-o', beside, ...links], { signal });
    await rename(beside, path.join(folder, ADDON));
    await rm(path.join(folder, FAILURE), { force: true });
  } finally {
    await rm(beside, { force: true });
  }
}

function kernelsFolder(engine: InstalledEngine, id: string): string {
  return path.join(engine.folder, 'kernels', id);
}

/** Twelve hexadecimal digits of everything the compiled file depends on. */
function kernelsId(): string {
  const hash = createHash('sha256').update(FLAGS.join(' ')).update(processorFeatures());
  const folder = sourcesFolder();
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(path.join(folder, name)));
  return hash.digest('hex').slice(0, 12);
}

/** What `-march=native` looks at: on Linux the features the kernel lists, else the processor's name. */
function processorFeatures(): string {
  try {
    const found = /^(?:flags|Features)\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
    if (found) return found[0];
  } catch {
    // No /proc: the name has to do.
  }
  return `${process.arch} ${os.cpus()[0]?.model ?? ''}`;
}

/** `resources/kernels` beside the program: found from the sources (main/engine), from dist/main/engine and in a packaged app. */
function sourcesFolder(start = path.dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = start; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const sources = besideArchive(path.join(folder, 'resources', 'kernels'));
    if (existsSync(path.join(sources, 'operations.cc'))) return sources;
  }
  throw new Error(`no resources/kernels in any folder above ${start}; the installation is incomplete`);
}
