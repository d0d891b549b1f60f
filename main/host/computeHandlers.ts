/** Requests about compute engines: install, repair, remove, and a self-test that times steps. */
import { removeEngine } from '../engine/install.ts';
import type { EngineVariant } from '../protocol/engine.ts';
import { PreloraError } from '../protocol/reply.ts';
import { lockHolder } from '../store/lock.ts';
import { readStatus } from '../store/runFolder.ts';
import { bytesOfVariant } from './computeEngines.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';
import { selfTest } from './selfTest.ts';

export function computeHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, `engine:${string}`>> {
  const { installer } = host;
  return {
    'engine:install': async ({ variant }) => installer.install(variant),
    async 'engine:cancelInstall'() {
      installer.cancel();
    },
    async 'engine:repair'({ variant }) {
      await refuseWhileUsed(host);
      return installer.repair(variant);
    },
    async 'engine:remove'({ variant }) {
      refuseWhileInstalling(installer.running);
      await refuseWhileUsed(host);
      const bytes = await bytesOfVariant(variant);
      await removeEngine({ variant });
      return { bytes };
    },
    'engine:selfTest': ({ backend }) => selfTest(host, backend),
  };
}

function refuseWhileInstalling(running: EngineVariant | null): void {
  if (running) throw new PreloraError('busy', `the ${running} engine is being installed; cancel that first`, 'variant');
}

/** Runs of other processes count too, as far as they lie below the data root. */
async function refuseWhileUsed(host: EngineHost): Promise<void> {
  if (host.isStarting) throw new PreloraError('busy', 'a run is being started or measured and may use TensorFlow; try again in a moment');
  for (const { dir } of await host.catalog.list()) {
    if (!isLocked(dir)) continue;
    const status = await readStatus(dir);
    if (status && status.backend.name !== 'tensorflow') continue;
    throw new PreloraError('busy', `TensorFlow stays as it is while run ${status?.name ?? dir} uses it; stop the run first`, 'variant');
  }
}

/** A lock that cannot be understood may be anybody's. */
function isLocked(dir: string): boolean {
  try {
    return lockHolder(dir) !== null;
  } catch {
    return true;
  }
}
