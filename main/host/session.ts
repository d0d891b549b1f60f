/**
 * One page's connection to the engine host: its requests, its subscriptions to runs, and an end to both when the port closes. Several pages
 * may watch one run, each at its own pace.
 */

import type { PushEvents, RunFrame } from '../protocol/events.ts';
import type { RecordPiece, RecordPieces } from '../protocol/recordPieces.ts';
import { PreloraError } from '../protocol/reply.ts';
import { engineRequests } from '../protocol/requests.ts';
import type { StatusFile } from '../protocol/run.ts';
import type { EngineHost } from './engineHost.ts';
import { engineHandlers } from './handlers.ts';
import { MetricsPump } from './metricsPump.ts';
import type { Port } from './port.ts';
import { push, serveRequests } from './rpc.ts';
import { readRunFiles } from './runReading.ts';
import type { RunTail } from './runTail.ts';

export interface Session {
  readonly host: EngineHost;
  /** Frames of a run from where the tail stands; replaces an earlier subscription. Gives back the number frames continue from. */
  subscribe(runId: string, read: ReadRun): number;
  /** A piece of the records read for the newest subscription. Throws `not-found` for one that is not there any more. */
  takePiece(runId: string, piece: number): RecordPiece;
  unsubscribe(runId: string): void;
  acknowledge(runId: string, sequence: number): void;
}

/** A run as it was read for a page. */
export interface ReadRun {
  /** Stands where reading ended. */
  tail: RunTail;
  status: StatusFile;
  pieces: RecordPieces;
}

/** Serves one page until its port closes. `framePort` carries the frames where they have a way of their own (Electron). */
export function serveSession(host: EngineHost, port: Port, framePort: () => Port = () => port): Session {
  const pumps = new Map<string, MetricsPump>();
  const pieces = new Map<string, RecordPieces>();
  const session: Session = {
    host,
    subscribe(runId, { tail, status, pieces: read }) {
      const before = pumps.get(runId);
      before?.close();
      // Numbers go on, and skip one: a frame of the earlier subscription that is still on its way cannot pass for a new one.
      const after = before ? before.sequence + 1 : 0;
      const send = (frame: RunFrame): void => push<PushEvents, 'run:frame'>(framePort(), 'run:frame', frame);
      const pump = createPump({ host, runId, tail, status, after }, send);
      pumps.set(runId, pump);
      if (read.count > 1) pieces.set(runId, read);
      else pieces.delete(runId);
      return pump.sequence;
    },
    takePiece(runId, piece) {
      const read = pieces.get(runId);
      if (!read || piece >= read.count) throw new PreloraError('not-found', `run ${runId} has no piece ${piece} to give; read it again`);
      if (piece === read.count - 1) pieces.delete(runId);
      return read.piece(piece);
    },
    unsubscribe(runId) {
      pieces.delete(runId);
      // Kept closed, for its number.
      pumps.get(runId)?.close();
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
    pieces.clear();
  });
  return session;
}

interface Subscription {
  host: EngineHost;
  runId: string;
  tail: RunTail;
  /** As read from the files; shown until the run is live and tells its own. */
  status: StatusFile;
  /** Frames are numbered from here on. */
  after: number;
}

function createPump({ host, runId, tail, status, after }: Subscription, send: (frame: RunFrame) => void): MetricsPump {
  let last = status;
  const pump = new MetricsPump(
    {
      async look() {
        const records = await tail.look();
        // A run may end between a change and its frame; what it ended as is in its folder then.
        if (!host.liveRun(runId)) last = (await statusAtRest(runId, tail.dir)) ?? last;
        // An undo or a resume after a crash: part of what the page holds is abandoned now.
        if (records.events.some(({ kind }) => kind === 'segment')) pump.skipNumber();
        return records;
      },
      present() {
        const live = host.liveRun(runId);
        last = live?.status ?? last;
        // Under the name that the user gave it, which the trainer does not know.
        const told = { ...last, runId, name: status.name };
        return { runId, live: live !== null, status: told, activity: live?.activity ?? '', etaSeconds: live?.etaSeconds ?? null };
      },
    },
    send,
    { after },
  );
  return pump;
}

/** Null when the folder cannot be read, for one because it has just been put into the trash. */
async function statusAtRest(runId: string, dir: string): Promise<StatusFile | null> {
  try {
    return (await readRunFiles(runId, dir)).status;
  } catch (error) {
    if (error instanceof PreloraError) return null;
    throw error;
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
