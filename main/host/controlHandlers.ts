/** Requests that start a run or steer one: each becomes a command that the loop obeys at its next step boundary. */
import { parseConfig } from '../core/resolveConfig.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { EngineHost } from './engineHost.ts';
import { forkBothWays, forkRun } from './forkRun.ts';
import type { EngineHandlers } from './handlers.ts';
import { appendNote } from './runNote.ts';
import { readRunFiles } from './runReading.ts';
import { sampleConfig } from './sampleRun.ts';

type Names =
  | 'run:start'
  | 'run:sample'
  | 'run:pause'
  | 'run:resume'
  | 'run:advance'
  | 'run:stop'
  | 'run:checkpoint'
  | 'run:edit'
  | 'run:note'
  | 'run:fork'
  | 'run:forkBothWays';

export function controlHandlers(host: EngineHost): Pick<EngineHandlers, Names> {
  return {
    'run:start': async ({ config }) => ({ runId: await host.start(parseConfig(config)) }),
    'run:sample': async () => ({ runId: await host.start(await sampleConfig(host)) }),
    async 'run:pause'({ runId }) {
      await host.command(runId, { kind: 'pause' });
    },
    async 'run:resume'({ runId }) {
      if (await host.steerable(runId)) await host.command(runId, { kind: 'resume' });
      else await resumeStopped(host, runId);
    },
    async 'run:advance'({ runId, steps }) {
      if (await host.steerable(runId)) await host.command(runId, { kind: 'advance', steps });
      else await host.resume(runId, [{ kind: 'advance', steps }]);
    },
    async 'run:stop'({ runId, discard }) {
      await host.liveRun(runId)?.stop();
      if (!discard) return;
      await host.catalog.moveToTrash(runId);
      host.broadcast('runs:changed', { runIds: [runId] });
    },
    async 'run:checkpoint'({ runId }) {
      return (await host.command(runId, { kind: 'checkpoint' })) as { step: number };
    },
    async 'run:edit'({ runId, changes, extension }) {
      const command = { kind: 'edit', changes, extension } as const;
      if (await host.steerable(runId)) await host.command(runId, command);
      // More epochs make a finished run go on; other settings of a run at rest are for a fork.
      else if (Object.hasOwn(changes, 'train.epochs')) await host.resume(runId, [command]);
      else throw new PreloraError('bad-arguments', `run ${runId} is not being trained; resume it first, or fork it with these changes`);
    },
    async 'run:note'({ runId, text }) {
      if (await host.steerable(runId)) await host.command(runId, { kind: 'note', text });
      else await appendNote(await host.catalog.find(runId), text);
    },
    'run:fork': async ({ runId, step, changes }) => ({ runId: await forkRun(host, runId, { step, changes }) }),
    'run:forkBothWays': async ({ runId, step }) => ({ runIds: await forkBothWays(host, runId, step) }),
  };
}

async function resumeStopped(host: EngineHost, runId: string): Promise<void> {
  const { status } = await readRunFiles(runId, await host.catalog.find(runId));
  if (status.status === 'finished') {
    throw new PreloraError(
      'bad-arguments',
      `run ${runId} is finished at step ${status.step}; give it more train.epochs to go on`,
      'train.epochs',
    );
  }
  await host.resume(runId);
}
