/**
 * Everything the engine pushes without being asked. Metrics travel in numbered frames (a frame every 50–100 ms, acknowledged,
 * coalesced when the page lags); the rest are single events. The live stream is a cache of the run's files (architecture.md section 7).
 */
import type { EpochRecord, EventRecord, MetricsRecord, SnapshotRecord } from './records.ts';
import type { StatusFile } from './run.ts';

/** New records of one run since the previous frame. The page acknowledges `sequence` by `frames:ack`. */
export interface RunFrame {
  runId: string;
  /** Counts up from what `run:state` gave; a gap means that the page must ask for it again. */
  sequence: number;
  /** Whether the run is being trained. */
  live: boolean;
  metrics: MetricsRecord[];
  epochs: EpochRecord[];
  snapshots: SnapshotRecord[];
  events: EventRecord[];
  status: StatusFile;
  /** What the engine is doing now, in words: "training", "evaluating 3 of 16", "pausing after this step" … */
  activity: string;
  /** Estimated seconds to the end of the run, null for the first 20 steps of a phase. */
  etaSeconds: number | null;
}

export interface ProgressEvent {
  task: 'engine:install' | 'switch:trial' | 'estimate:measure' | 'export';
  message: string;
  /** 0…1, or null when the end is unknown. */
  fraction: number | null;
}

/** Name → payload of every push. */
export interface PushEvents {
  'run:frame': RunFrame;
  /** A proposal the user should look at: the test passed under manual switching, or grace time runs. */
  'switch:proposed': { runId: string; step: number; dueStep: number | null };
  'runs:changed': { runIds: string[] };
  'queue:changed': Record<string, never>;
  'trainer:exited': { runId: string; reason: string; resumable: boolean };
  'task:progress': ProgressEvent;
}

/** The run that is being trained, in as many words as the shell needs outside its window: title, progress bar, quit dialog. */
export interface Presence {
  runId: string;
  name: string;
  status: StatusFile['status'];
  phase: StatusFile['phase'];
  step: number;
  totalSteps: number;
  etaSeconds: number | null;
}

/** Told to the shell alone. */
export interface ShellEvents {
  /** Null when nothing is being trained. */
  'host:presence': Presence | null;
}
