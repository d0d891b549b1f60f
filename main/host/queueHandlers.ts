/** Requests about the queue, and about studies, which are a way to fill it. */
import { parseConfig } from '../core/resolveConfig.ts';
import { planStudy } from '../core/study.ts';
import type { EngineHost } from './engineHost.ts';
import { estimate } from './estimate.ts';
import type { EngineHandlers } from './handlers.ts';

type Names = `queue:${string}` | 'study:plan';

export function queueHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, Names>> {
  const { queue } = host;
  return {
    'queue:state': () => queue.state(),
    'queue:add': async ({ orders }) => ({ ids: await queue.add(orders) }),
    'queue:remove': ({ ids }) => queue.remove(ids),
    'queue:restore': ({ ids }) => queue.restore(ids),
    'queue:move': ({ id, before }) => queue.move(id, before),
    'queue:pause': ({ paused }) => queue.setPaused(paused),
    'queue:startAt': ({ startAt }) => queue.setStartAt(startAt),
    'queue:retry': ({ id }) => queue.retry(id),
    async 'study:plan'({ config, ...plan }) {
      const runs = [];
      for (const run of planStudy(parseConfig(config), plan)) {
        runs.push({ ...run, secondsEstimate: (await estimate(run.config, [], host.dataRoot)).secondsEstimate });
      }
      const known = runs.flatMap(({ secondsEstimate }) => secondsEstimate ?? []);
      return { runs, secondsTotal: known.length === runs.length ? known.reduce((sum, seconds) => sum + seconds, 0) : null };
    },
  };
}
