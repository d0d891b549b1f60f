/** The trash of the scripted engine: some old ones to begin with, and the runs that the page puts there. */

import { PreloraError } from '../../../main/protocol/reply.ts';
import type { engineRequests, HandlersOf } from '../../../main/protocol/requests.ts';
import type { TrashedRun } from '../../../main/protocol/results.ts';
import { GIB, NOW } from './history.ts';
import { type ScriptedRun, summaryOf } from './run.ts';

type Names = 'runs:trash' | 'runs:restore' | `trash:${string}`;

const DAY_MS = 24 * 3600 * 1000;

function trashed(name: string, more: { daysAgo: number; bytes: number; blocked?: string }): TrashedRun {
  const at = NOW - more.daysAgo * DAY_MS;
  const [trashedAt, goesAt] = [at, at + 30 * DAY_MS].map((time) => new Date(time).toISOString()) as [string, string];
  return { folder: name, runId: name, name, bytes: more.bytes, trashedAt, goesAt, blocked: more.blocked ?? null };
}

const HELD = 'it is being written by process 4711 on ada; stop that first';

export class ScriptedTrash {
  #entries: TrashedRun[];
  readonly #runs: Map<string, ScriptedRun>;
  readonly #changed: (runId: string) => void;

  constructor(runs: Map<string, ScriptedRun>, hasOld: boolean, changed: (runId: string) => void) {
    this.#runs = runs;
    this.#changed = changed;
    const old = [
      trashed('flowers-first-try', { daysAgo: 3, bytes: 0.42 * GIB }),
      trashed('tulips-in-the-shell', { daysAgo: 12, bytes: 0.08 * GIB, blocked: HELD }),
      trashed('ablation-without-joint-phase-lr0.001-bs128-seed17-final-2', { daysAgo: 29.8, bytes: 3.6 * GIB }),
    ];
    this.#entries = hasOld ? old : [];
  }

  /** What `run:stop` does with a run that is discarded. */
  put(runId: string): void {
    const run = this.#runs.get(runId);
    if (!run) throw new PreloraError('not-found', `There is no run ${runId}.`, 'runId');
    const { status, sizeBytes } = summaryOf(run);
    run.trashed = true;
    this.#entries = [{ ...trashed(status.name, { daysAgo: 0, bytes: sizeBytes }), folder: runId, runId }, ...this.#entries];
    this.#changed(runId);
  }

  readonly handlers = {
    'runs:trash': async ({ runId }) => this.put(runId),
    'runs:restore': async ({ runId }) => this.#takeOut(runId),
    'trash:list': async () => this.#entries,
    'trash:restore': async ({ folder }) => this.#takeOut(folder),
    'trash:delete': async ({ folders }) => {
      const doomed = this.#entries.filter(({ folder }) => folders.includes(folder));
      this.#entries = this.#entries.filter((run) => !doomed.includes(run));
      for (const { runId } of doomed) this.#changed(runId);
      return { bytes: doomed.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  } satisfies Pick<HandlersOf<typeof engineRequests>, Extract<keyof HandlersOf<typeof engineRequests>, Names>>;

  #takeOut(folder: string): void {
    this.#entries = this.#entries.filter((run) => run.folder !== folder);
    const run = this.#runs.get(folder);
    if (run) run.trashed = false;
    this.#changed(folder);
  }
}
