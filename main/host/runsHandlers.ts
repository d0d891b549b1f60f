/** Requests about runs as folders: the table, a run's records, its frames, names and notes, the way to the trash and back. */
import type { RunSummary } from '../protocol/results.ts';
import type { StatusFile } from '../protocol/run.ts';
import { systemCode } from '../store/diskFault.ts';
import { compareRuns } from './compareRuns.ts';
import type { EngineHandlers } from './handlers.ts';
import { phasesOf, readRunFacts, readRunState, readSummary } from './runReading.ts';
import { RunTail } from './runTail.ts';
import type { Session } from './session.ts';

type Names = `runs:${string}` | 'run:state' | 'run:piece' | 'run:facts' | 'run:unsubscribe' | 'frames:ack';

export function runsHandlers(session: Session): Pick<EngineHandlers, Extract<keyof EngineHandlers, Names>> {
  const { host } = session;
  const { catalog } = host;
  const changed = (runId: string): void => host.broadcast('runs:changed', { runIds: [runId] });
  /** A live run's own status, under the name that the user gave it. */
  const toldStatus = (runId: string, { status }: RunSummary): StatusFile => {
    const live = host.liveRun(runId)?.status;
    return live ? { ...live, runId, name: status.name } : status;
  };
  /** What `read` gives of a run's folder. A run that went away meanwhile, into the trash for one, is `not-found` as one that never was. */
  const readOf = async <T>(runId: string, read: (dir: string) => Promise<T>): Promise<T> => {
    const dir = await catalog.find(runId);
    try {
      return await read(dir);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') await catalog.find(runId);
      throw error;
    }
  };
  return {
    async 'runs:list'() {
      const runs = await catalog.list();
      const summaries = (await Promise.all(runs.map(({ runId, dir }) => summaryIfThere(runId, dir)))).flat();
      return summaries.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
    },
    async 'runs:rename'({ runId, name }) {
      await catalog.annotate(runId, { name });
      changed(runId);
    },
    async 'runs:annotate'({ runId, ...changes }) {
      await catalog.annotate(runId, changes);
      changed(runId);
    },
    async 'runs:compare'({ runIds, atStep }) {
      return compareRuns(await Promise.all(runIds.map((runId) => catalog.find(runId))), atStep);
    },
    async 'runs:trash'({ runId }) {
      await catalog.moveToTrash(runId);
      changed(runId);
    },
    async 'runs:restore'({ runId }) {
      await catalog.restoreFromTrash(runId);
      changed(runId);
    },
    async 'run:state'({ runId }) {
      const { tail, state, pieces } = await readOf(runId, async (dir) => {
        const tail = new RunTail(dir);
        return { tail, ...(await readRunState(runId, tail)) };
      });
      const status = toldStatus(runId, state.summary);
      // What was written while we read comes with the first frame: the tail stands exactly where reading ended.
      const sequence = session.subscribe(runId, { tail, status, pieces });
      return { ...state, summary: { ...state.summary, status }, phases: phasesOf(status), live: host.liveRun(runId) !== null, sequence };
    },
    async 'run:piece'({ runId, piece }) {
      return session.takePiece(runId, piece);
    },
    async 'run:facts'({ runId }) {
      const facts = await readOf(runId, (dir) => readRunFacts(runId, dir));
      const status = toldStatus(runId, facts.summary);
      return { ...facts, summary: { ...facts.summary, status }, phases: phasesOf(status) };
    },
    async 'run:unsubscribe'({ runId }) {
      session.unsubscribe(runId);
    },
    async 'frames:ack'({ runId, sequence }) {
      session.acknowledge(runId, sequence);
    },
  };
}

/** Nothing for a folder that went away, into the trash for one, while the table was read. */
async function summaryIfThere(runId: string, dir: string): Promise<RunSummary[]> {
  try {
    return [await readSummary(runId, dir)];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
