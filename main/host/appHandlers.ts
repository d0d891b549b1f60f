/** Requests about the program and its compute engines. */
import os from 'node:os';
import { engineStatus } from '../engine/install.ts';
import { findEngine, type InstalledEngine } from '../engine/installed.ts';
import { whyNoKernels } from '../engine/kernels.ts';
import { RunConfig } from '../protocol/config.ts';
import type { AppDescription } from '../protocol/results.ts';
import { listPresets, type Preset } from '../store/presets.ts';
import { collectDiagnostics, diagnosticsFileName, zipDiagnostics } from './diagnostics/diagnostics.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';
import { programVersion } from './programVersion.ts';

type Names = 'app:describe' | 'app:diagnose' | 'engine:install' | 'engine:cancelInstall';

export function appHandlers(host: EngineHost): Pick<EngineHandlers, Names> {
  const { installer } = host;
  return {
    'app:describe': async () => ({ ...(await describeApp(host)), installing: installer.running }),
    async 'app:diagnose'({ runId }) {
      const runDir = runId === null ? null : await host.catalog.find(runId);
      const files = await collectDiagnostics({ dataRoot: host.dataRoot, runDir, host: host.options.kind });
      return { fileName: diagnosticsFileName(new Date()), files, zipBase64: Buffer.from(zipDiagnostics(files)).toString('base64') };
    },
    'engine:install': async ({ variant }) => installer.install(variant),
    async 'engine:cancelInstall'() {
      installer.cancel();
    },
  };
}

async function describeApp(host: EngineHost): Promise<Omit<AppDescription, 'installing'>> {
  const cores = os.availableParallelism();
  return {
    version: await programVersion(),
    platform: `${process.platform}-${process.arch}`,
    host: host.options.kind,
    cores,
    memoryBytes: os.totalmem(),
    dataRoot: host.dataRoot,
    presets: (await listPresets()).map(describePreset),
    engines: await describeEngines(),
    installableEngines: installableEngines(),
    configSchema: RunConfig.toJSONSchema({ io: 'input' }),
  };
}

function describePreset({ name, description, isOwn, config }: Preset): AppDescription['presets'][number] {
  const title = name.replaceAll(/[-_]/g, ' ');
  return { name, title: isOwn ? name : title.charAt(0).toUpperCase() + title.slice(1), summary: description, isOwn, config };
}

/** Variants for this platform that are not there, or not whole. */
function installableEngines(): AppDescription['installableEngines'] {
  const { installable, installed } = engineStatus();
  return installable.filter((variant) => installed.every((engine) => engine.variant !== variant));
}

/** What `auto` would choose among, in its order. Looked up, not loaded: the host never loads a backend. */
async function describeEngines(): Promise<AppDescription['engines']> {
  const native = findEngine();
  const wasm = { name: 'wasm', available: true, version: '', device: 'CPU', why: 'always there; one thread with SIMD' };
  const cpu = { name: 'cpu', available: true, version: '', device: 'CPU', why: 'plain JavaScript, for tests' };
  if (!native) return [{ name: 'tensorflow', available: false, version: '', device: '', why: 'not installed yet' }, wasm, cpu];
  const { version, variant, source } = native.manifest;
  const device = variant === 'gpu' ? 'GPU or CPU' : 'CPU';
  return [{ name: 'tensorflow', available: true, version, device, why: await describeNative(native, source) }, wasm, cpu];
}

/** Where it comes from, and why its steps are slower than they could be. */
async function describeNative(engine: InstalledEngine, source: string): Promise<string> {
  const why = engine.manifest.variant === 'cpu' ? await whyNoKernels(engine) : null;
  return why ? `${source}; no compute kernels of our own, so steps are slower: ${why}` : source;
}
