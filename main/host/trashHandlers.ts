/** Requests about runs in the trash: which there are, one of them back, some of them gone for good. */
import { PreloraError } from '../protocol/reply.ts';
import type { TrashedRun } from '../protocol/results.ts';
import { folderBytes } from '../store/folderBytes.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';
import { readSummary } from './runReading.ts';
import { KEPT_IN_TRASH_MS, type TrashedFolder, whyHeld } from './runTrash.ts';

export function trashHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, `trash:${string}`>> {
  const { trash, root } = host.catalog;
  const changed = (runIds: string[]): void => host.broadcast('runs:changed', { runIds });
  return {
    'trash:list': async () => Promise.all((await trash.list()).map(describe)),
    async 'trash:restore'({ folder }) {
      // Only ever one of those that are there: a name is never made into a path.
      const found = (await trash.list()).find((run) => run.folder === folder);
      if (!found) throw new PreloraError('not-found', `run ${folder} is not in the trash any more`, 'folder');
      await trash.takeOut(found, root);
      changed([found.runId]);
    },
    async 'trash:delete'({ folders }) {
      const doomed = (await trash.list()).filter(({ folder }) => folders.includes(folder));
      let bytes = 0;
      try {
        for (const run of doomed) {
          const own = await folderBytes(run.dir);
          await trash.remove(run);
          bytes += own;
        }
      } finally {
        changed(doomed.map(({ runId }) => runId));
      }
      return { bytes };
    },
  };
}

async function describe({ folder, dir, runId, trashedAt }: TrashedFolder): Promise<TrashedRun> {
  const { status, sizeBytes, problem } = await readSummary(runId, dir);
  return {
    folder,
    runId,
    name: status.name || folder,
    bytes: problem === null ? sizeBytes : await folderBytes(dir),
    trashedAt: new Date(trashedAt).toISOString(),
    goesAt: new Date(trashedAt + KEPT_IN_TRASH_MS).toISOString(),
    blocked: whyHeld(dir),
  };
}
