/** Requests about the program: what it is and what it runs on, and a report of a fault. */
import os from 'node:os';
import { RunConfig } from '../protocol/config.ts';
import type { AppDescription } from '../protocol/results.ts';
import { listPresets, type Preset } from '../store/presets.ts';
import { programVersion } from '../store/programVersion.ts';
import { describeEngines, installableEngines } from './computeEngines.ts';
import { collectDiagnostics, diagnosticsFileName, zipDiagnostics } from './diagnostics/diagnostics.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';

export function appHandlers(host: EngineHost): Pick<EngineHandlers, 'app:describe' | 'app:diagnose'> {
  return {
    'app:describe': async () => ({ ...(await describeApp(host)), installing: host.installer.running }),
    async 'app:diagnose'({ runId }) {
      const runDir = runId === null ? null : await host.catalog.find(runId);
      const files = await collectDiagnostics({ dataRoot: host.dataRoot, runDir, host: host.options.kind });
      return { fileName: diagnosticsFileName(new Date()), files, zipBase64: Buffer.from(zipDiagnostics(files)).toString('base64') };
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
