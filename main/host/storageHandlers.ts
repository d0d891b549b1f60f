/** What the disk is taken by, and clearing away what nothing needs: checkpoints of runs, and images unpacked out of shards. */
import type { RunSpace } from '../protocol/results.ts';
import { lockHolder } from '../store/lock.ts';
import { checkpointSpace, removeCheckpoints } from '../store/removableCheckpoints.ts';
import { openRun } from '../store/runStore.ts';
import type { EngineHost } from './engineHost.ts';
import { freeDiskBytes } from './estimate.ts';
import type { EngineHandlers } from './handlers.ts';
import { readSummary } from './runReading.ts';
import { listUnpackedSources, removeUnpackedSources } from './unpackedSources.ts';

export function storageHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, `storage:${string}`>> {
  return {
    async 'storage:preview'() {
      const runs = await Promise.all((await host.catalog.list()).map(({ runId, dir }) => spaceOf(runId, dir)));
      return { runs: runs.sort((a, b) => b.bytes - a.bytes), freeDiskBytes: await freeDiskBytes(host.dataRoot) };
    },
    async 'storage:clean'({ runs }) {
      let bytes = 0;
      for (const { runId, steps } of runs) bytes += await cleanRun(await host.catalog.find(runId), steps);
      host.broadcast('runs:changed', { runIds: runs.map(({ runId }) => runId) });
      return { bytes };
    },
    'storage:unpacked': async () => listUnpackedSources(),
    'storage:removeUnpacked': async ({ sources }) => ({ bytes: await removeUnpackedSources(host, sources) }),
  };
}

async function spaceOf(runId: string, dir: string): Promise<RunSpace> {
  const { status, sizeBytes, problem } = await readSummary(runId, dir);
  const about = { runId, name: status.name, bytes: sizeBytes };
  if (problem !== null) return { ...about, checkpointBytes: 0, removable: [], blocked: problem };
  const { removable, bytes } = await checkpointSpace(dir);
  const blocked = lockHolder(dir) === null ? null : 'a trainer has it open; stop the run first';
  return { ...about, checkpointBytes: bytes, removable, blocked };
}

/** Under the run's lock, so that nothing is taken from under a trainer. Throws `busy` while somebody trains it. */
async function cleanRun(dir: string, steps: readonly number[]): Promise<number> {
  const store = await openRun(dir);
  try {
    return await removeCheckpoints(dir, steps);
  } finally {
    store.close();
  }
}
