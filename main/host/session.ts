/**
 * One page's connection to the engine host: its requests, its subscriptions to runs, and an end to both when the port closes. Several pages
 * may watch one run, each at its own pace.
 */

import type { PushEvents, RunFrame } from '../protocol/events.ts';
import { engineRequests } from '../protocol/requests.ts';
import type { StatusFile } from '../protocol/run.ts';
import type { EngineHost } from './engineHost.ts';
import { engineHandlers } from './handlers.ts';
import { MetricsPump } from './metricsPump.ts';
import type { Port } from './port.ts';
import { push, serveRequests } from './rpc.ts';
import type { RunTail } from './runTail.ts';

export interface Session {
  readonly host: EngineHost;
  /** Frames of a run from where `tail` stands; replaces an earlier subscription. Gives back the number frames continue from. */
  subscribe(runId: string, tail: RunTail, status: StatusFile): number;
  unsubscribe(runId: string): void;
  acknowledge(runId: string, sequence: number): void;
}

/** Serves one page until its port closes. `framePort` carries the frames where they have a way of their own (Electron). */
export function serveSession(host: EngineHost, port: Port, framePort: () => Port = () => port): Session {
  const pumps = new Map<string, MetricsPump>();
  const session: Session = {
    host,
    subscribe(runId, tail, status) {
      pumps.get(runId)?.close();
      const pump = createPump({ host, runId, tail, status }, (frame) => push<PushEvents, 'run:frame'>(framePort(), 'run:frame', frame));
      pumps.set(runId, pump);
      return pump.sequence;
    },
    unsubscribe(runId) {
      pumps.get(runId)?.close();
      pumps.delete(runId);
    },
    acknowledge: (runId, sequence) => pumps.get(runId)?.acknowledge(sequence),
  };
  const unlisten = host.listen({
    push: (event, payload) => push<PushEvents, typeof event>(port, event, payload),
    runChanged: (runId) => pumps.get(runId)?.wake(),
  });
  serveRequests(port, engineRequests, engineHandlers(session), (name, error) => host.options.log(`${name}: ${stackOf(error)}`));
  port.onClose(() => {
    unlisten();
    for (const pump of pumps.values()) pump.close();
    pumps.clear();
  });
  return session;
}

interface Subscription {
  host: EngineHost;
  runId: string;
  tail: RunTail;
  /** As read from the files; shown until the run is live and tells its own. */
  status: StatusFile;
}

function createPump({ host, runId, tail, status }: Subscription, send: (frame: RunFrame) => void): MetricsPump {
  let last = status;
  const pump = new MetricsPump(
    {
      async look() {
        const records = await tail.look();
        // An undo or a resume after a crash: part of what the page holds is abandoned now.
        if (records.events.some(({ kind }) => kind === 'segment')) pump.skipNumber();
        return records;
      },
      present() {
        const live = host.liveRun(runId);
        last = live?.status ?? last;
        return { runId, status: { ...last, runId }, activity: live?.activity ?? '', etaSeconds: live?.etaSeconds ?? null };
      },
    },
    send,
  );
  return pump;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
