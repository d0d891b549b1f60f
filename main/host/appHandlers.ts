/** Requests about the program and its compute engines. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { installEngine } from '../engine/install.ts';
import { findEngine } from '../engine/installed.ts';
import { RunConfig } from '../protocol/config.ts';
import type { AppDescription } from '../protocol/requests.ts';
import { resourcesFolder } from '../store/paths.ts';
import { listPresets, type Preset } from '../store/presets.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';

type Names = 'app:describe' | 'engine:install' | 'engine:cancelInstall';

export function appHandlers(host: EngineHost): Pick<EngineHandlers, Names> {
  let installing: AbortController | null = null;
  return {
    'app:describe': () => describeApp(host),
    async 'engine:install'({ variant }) {
      installing ??= new AbortController();
      const { signal } = installing;
      try {
        const { manifest } = await installEngine({
          variant,
          signal,
          onProgress: ({ message, done, total }) =>
            host.broadcast('task:progress', {
              task: 'engine:install',
              message,
              fraction: done !== undefined && total ? done / total : null,
            }),
        });
        return { version: manifest.version };
      } finally {
        installing = null;
      }
    },
    async 'engine:cancelInstall'() {
      installing?.abort();
    },
  };
}

async function describeApp(host: EngineHost): Promise<AppDescription> {
  const cores = os.availableParallelism();
  return {
    version: await programVersion(),
    platform: `${process.platform}-${process.arch}`,
    host: host.options.kind,
    cores,
    memoryBytes: os.totalmem(),
    dataRoot: host.dataRoot,
    presets: (await listPresets()).map(describePreset),
    engines: describeEngines(),
    engineInstallable: findEngine() === null,
    configSchema: RunConfig.toJSONSchema({ io: 'input' }),
  };
}

function describePreset({ name, description, config }: Preset): AppDescription['presets'][number] {
  const title = name.replaceAll(/[-_]/g, ' ');
  return { name, title: title.charAt(0).toUpperCase() + title.slice(1), summary: description, config };
}

/** What `auto` would choose among, in its order. Looked up, not loaded: the host never loads a backend. */
function describeEngines(): AppDescription['engines'] {
  const native = findEngine();
  const wasm = { name: 'wasm', available: true, version: '', device: 'CPU', why: 'always there; one thread with SIMD' };
  const cpu = { name: 'cpu', available: true, version: '', device: 'CPU', why: 'plain JavaScript, for tests' };
  if (!native) return [{ name: 'tensorflow', available: false, version: '', device: '', why: 'not installed yet' }, wasm, cpu];
  const { version, variant, source } = native.manifest;
  return [{ name: 'tensorflow', available: true, version, device: variant === 'gpu' ? 'GPU or CPU' : 'CPU', why: source }, wasm, cpu];
}

/** From the package.json beside the resources. */
async function programVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(path.join(resourcesFolder(), '..', 'package.json'), 'utf8'));
  return String((manifest as { version?: unknown }).version ?? '');
}
