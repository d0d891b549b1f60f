/** Reads a run with all its records: the state, then piece after piece, so that the page draws in between. */
import type { RunState } from '../../main/protocol/requests.ts';
import type { Api } from '../api.ts';
import { Snapshots } from './snapshots.ts';

export interface WholeRun {
  /** With the metrics of all pieces. */
  state: RunState;
  snapshots: Snapshots;
}

export async function readWholeRun(api: Api, runId: string): Promise<WholeRun> {
  const state = await api.request('run:state', { runId });
  const snapshots = Snapshots.unpack(state.snapshots);
  const metrics = [...state.metrics];
  for (let piece = 1; piece <= state.morePieces; piece++) {
    const next = await api.request('run:piece', { runId, piece });
    metrics.push(...next.metrics);
    if (next.norms !== null) snapshots.append(next.norms);
  }
  return { state: { ...state, metrics }, snapshots };
}
