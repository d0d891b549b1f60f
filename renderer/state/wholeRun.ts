/** Reads a run with all its records: the state, then piece after piece, so that the page draws in between. */
import type { RunState } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';
import { MetricTable } from './metricTable.ts';
import { Snapshots } from './snapshots.ts';

export interface WholeRun {
  /** Its metrics and snapshots are those of the first piece alone. */
  state: RunState;
  metrics: MetricTable;
  snapshots: Snapshots;
}

/** Null once it is not wanted any more: with the last piece the host forgets the run's pieces, and a later reader's are the same ones. */
export async function readWholeRun(api: Api, runId: string, isWanted: () => boolean): Promise<WholeRun | null> {
  const state = await api.request('run:state', { runId });
  const metrics = new MetricTable();
  const snapshots = Snapshots.unpack(state.snapshots);
  const { normMetric } = state.summary.config.prelora;
  metrics.append(state.metrics);
  for (let piece = 1; piece <= state.morePieces; piece++) {
    if (!isWanted()) return null;
    const next = await api.request('run:piece', { runId, piece });
    metrics.append(next.metrics);
    if (next.norms !== null) snapshots.append(next.norms);
    // Piece by piece here, because all at once would hold up the first drawing.
    snapshots.allChanges(normMetric);
  }
  return { state, metrics, snapshots };
}
