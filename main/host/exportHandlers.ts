/** Requests about handing a run's model on: writing an export, and which ones lie in the run's folder. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { StoredExport } from '../protocol/exports.ts';
import { PreloraError } from '../protocol/reply.ts';
import { folderBytes } from '../store/folderBytes.ts';
import { parseJson } from '../store/json.ts';
import type { EngineHost } from './engineHost.ts';
import { EXPORTS_FOLDER, REPORT_FILE } from './exportCheckpoint.ts';
import type { EngineHandlers } from './handlers.ts';
import { readRunFiles } from './runReading.ts';
import { whilePaused } from './whilePaused.ts';

export function exportHandlers(host: EngineHost): Pick<EngineHandlers, 'run:export' | 'run:exports'> {
  return {
    async 'run:export'({ runId, folder, settings }) {
      const dir = await host.catalog.find(runId);
      const { config } = await readRunFiles(runId, dir);
      const out = folder === null ? null : chosenPlace(host, folder);
      const job = { dir, checkpoint: settings.checkpoint, out, settings };
      return whilePaused(host, runId, () =>
        host.runJob(
          config.engine,
          (client) => {
            client.on('said', ({ message }) => host.broadcast('task:progress', { task: 'export', message, fraction: null }));
            return client.request('exportCheckpoint', job);
          },
          { beside: runId },
        ),
      );
    },
    async 'run:exports'({ runId }) {
      return storedExports(path.join(await host.catalog.find(runId), EXPORTS_FOLDER));
    },
  };
}

/** A dialog of the desktop gives a whole path; a page in a browser never says where on this machine something is written. */
function chosenPlace({ options }: EngineHost, folder: string): string {
  if (options.kind !== 'desktop') {
    throw new PreloraError('bad-arguments', `folder ${folder}: from a browser an export goes into the run's own folder`, 'folder');
  }
  if (path.isAbsolute(folder)) return path.normalize(folder);
  throw new PreloraError('bad-arguments', `folder ${folder}: must be a whole path, from the root on`, 'folder');
}

async function storedExports(root: string): Promise<StoredExport[]> {
  const names = await readdir(root).catch(() => []);
  const found = await Promise.all(names.map((name) => storedExport(path.join(root, name))));
  return found.filter((own) => own !== null).sort((a, b) => b.step - a.step || (a.format < b.format ? -1 : 1));
}

/** Null for what is no export, or one that is being written. */
async function storedExport(folder: string): Promise<StoredExport | null> {
  if (/\.(tmp|old)$/.test(folder)) return null;
  const text = await readFile(path.join(folder, REPORT_FILE), 'utf8').catch(() => '');
  const { format, checkpoint, verify } = (parseJson(text) ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const told = { format, folder, step: checkpoint?.step, phase: checkpoint?.phase, status: verify?.status };
  const parsed = StoredExport.safeParse({ ...told, bytes: await folderBytes(folder) });
  return parsed.success ? parsed.data : null;
}
