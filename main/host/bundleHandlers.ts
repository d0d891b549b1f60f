/** Requests about run bundles: one out, one in, and naming the data that did not come along. One at a time, with progress. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { BUNDLE_ENDING } from '../protocol/bundle.ts';
import { PreloraError } from '../protocol/reply.ts';
import { writeBundle } from '../store/bundleWriting.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';
import { importBundle } from './importBundle.ts';
import { nameDataOf } from './nameData.ts';

export function bundleHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, `bundle:${string}`> | 'run:nameData'> {
  const { bundleJobs, catalog } = host;
  return {
    async 'bundle:write'({ runId, file, weights }) {
      const dir = await catalog.find(runId);
      const target = await targetOf(host, file);
      return bundleJobs.run({ task: 'bundle:write', word: 'packed', run: (given) => writeBundle(dir, target, { weights, ...given }) });
    },
    async 'bundle:import'({ file }) {
      const run = { task: 'bundle:import', word: 'unpacked' } as const;
      const imported = await bundleJobs.run({ ...run, run: (given) => importBundle(catalog, path.resolve(file), given) });
      host.broadcast('runs:changed', { runIds: [imported.runId] });
      return imported;
    },
    async 'bundle:cancel'() {
      bundleJobs.cancel();
    },
    async 'run:nameData'({ runId, source, valSource }) {
      const notes = await nameDataOf(await catalog.find(runId), { source, valSource });
      host.broadcast('runs:changed', { runIds: [runId] });
      return { notes };
    },
  };
}

/** A dialog of the desktop gives a whole path; a page in a browser gives a name, and never says where on this machine something is written. */
async function targetOf({ options, dataRoot }: EngineHost, file: string): Promise<string> {
  if (!file.toLowerCase().endsWith(BUNDLE_ENDING))
    throw new PreloraError('bad-arguments', `file ${file}: must end in ${BUNDLE_ENDING}`, 'file');
  if (options.kind === 'desktop') {
    if (path.isAbsolute(file)) return file;
    throw new PreloraError('bad-arguments', `file ${file}: must be a whole path`, 'file');
  }
  const folder = path.join(dataRoot, 'bundles');
  if (/[/\\:\0]/.test(file) || file.startsWith('.'))
    throw new PreloraError(
      'bad-arguments',
      `file ${file}: from a browser it is a name without folders; it is written below ${folder}`,
      'file',
    );
  await mkdir(folder, { recursive: true });
  return path.join(folder, file);
}
