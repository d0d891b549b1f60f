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
  task: 'engine:install' | 'switch:trial' | 'estimate:measure' | 'export' | 'bundle:write' | 'bundle:import';
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

/** Their names, for those who pass pushes on: one that is forgotten here does not compile. */
export const PUSH_NAMES = Object.keys({
  'run:frame': true,
  'switch:proposed': true,
  'runs:changed': true,
  'queue:changed': true,
  'trainer:exited': true,
  'task:progress': true,
} satisfies Record<keyof PushEvents, true>) as (keyof PushEvents)[];

/** A screen of a run. */
export interface RunPlace {
  runId: string;
  tab: 'live' | 'switch';
}

/** What the shell tells the page beside what the engine pushes. */
export interface ShellPushes {
  /** A chosen menu entry names the page's command. */
  'menu:command': { command: string };
  /** A folder, a file of a data set in shards, or a run bundle was dropped on the window. */
  'shell:dropped': { path: string };
  /** The place that a notification was about. */
  'notification:clicked': RunPlace;
  'power:changed': PowerSource;
}

export interface PowerSource {
  onBattery: boolean;
}

export const SHELL_PUSH_NAMES = Object.keys({
  'menu:command': true,
  'shell:dropped': true,
  'notification:clicked': true,
  'power:changed': true,
} satisfies Record<keyof ShellPushes, true>) as (keyof ShellPushes)[];

/** The run that is being trained, in as many words as the shell needs outside its window: title, progress bar, notifications, quit dialog. */
export interface Presence {
  runId: string;
  name: string;
  status: StatusFile['status'];
  phase: StatusFile['phase'];
  step: number;
  totalSteps: number;
  etaSeconds: number | null;
  switchStep: number | null;
  best: StatusFile['best'];
  /** Why it stopped or waits, where the program decided that. */
  message: string | null;
  isDiskLow: boolean;
}

/** Told to the shell alone. */
export interface ShellEvents {
  /** Null when nothing is being trained. */
  'host:presence': Presence | null;
}
