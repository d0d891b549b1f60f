/** What a user does to a run: requests with a word on what they wait for, a confirmation, and a way back where there is one. */
import type { RunConfig } from '../../main/protocol/config.ts';
import type { Api } from '../api.ts';
import type { Notices } from './notices.svelte.ts';
import type { Proposal } from './proposal.ts';
import { valueAt } from './tree.ts';

/** The run that is steered. */
export interface SteeredRun {
  readonly runId: string;
  /** Frames come from a trainer, which tell what a request led to. */
  readonly live: boolean;
  readonly summary: { config: RunConfig } | null;
  readonly proposal: Proposal | null;
  catchUp(): Promise<void>;
  /** Takes a proposal off the screen, unless another has come in its place. */
  closeProposal(proposal: Proposal): void;
}

export class RunControls {
  #pending = $state<string | null>(null);
  readonly #run: SteeredRun;
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(run: SteeredRun, api: Api, notices: Notices) {
    this.#run = run;
    this.#api = api;
    this.#notices = notices;
  }

  /** What a pressed control is waiting for, in words. */
  get pending(): string | null {
    return this.#pending;
  }

  /** The wait is over: the run says so by a new status or by its end. */
  settle(): void {
    this.#pending = null;
  }

  /** A live edit; the toast offers the inverse edit. */
  async edit(changes: Record<string, unknown>, extension: 'continue' | 'recompute' | 'hold' = 'continue'): Promise<boolean> {
    const config = this.#run.summary?.config;
    const inverse = Object.fromEntries(Object.keys(changes).map((path) => [path, valueAt(config, path)]));
    const done = await this.#notices.attempt(() => this.#api.request('run:edit', { runId: this.#run.runId, changes, extension }));
    if (!done) return false;
    this.#notices.confirm('The change takes effect at the next step.', () =>
      this.#takeBack(() => this.#api.request('run:edit', { runId: this.#run.runId, changes: inverse })),
    );
    await this.#run.catchUp();
    return true;
  }

  pause(): Promise<boolean> {
    return this.#control('Pausing after this step', () => this.#api.request('run:pause', { runId: this.#run.runId }));
  }
  resume(): Promise<boolean> {
    return this.#control('Resuming', () => this.#api.request('run:resume', { runId: this.#run.runId }));
  }
  advance(steps: number): Promise<boolean> {
    return this.#control(`Running ${steps} steps, then pausing`, () => this.#api.request('run:advance', { runId: this.#run.runId, steps }));
  }
  stop(): Promise<boolean> {
    return this.#control('Stopping after this step; a checkpoint is kept', () =>
      this.#api.request('run:stop', { runId: this.#run.runId, discard: false }),
    );
  }

  async discard(): Promise<boolean> {
    const done = await this.#control('Stopping; the run goes to the trash', () =>
      this.#api.request('run:stop', { runId: this.#run.runId, discard: true }),
    );
    if (done) {
      this.#notices.confirm('Stopped and moved to the trash.', () =>
        this.#takeBack(() => this.#api.request('runs:restore', { runId: this.#run.runId })),
      );
    }
    return done;
  }

  async checkpoint(): Promise<void> {
    await this.#notices.attempt(async () => {
      const { step } = await this.#api.request('run:checkpoint', { runId: this.#run.runId });
      this.#notices.confirm(`Checkpoint written at step ${step}.`);
    });
  }

  async note(text: string): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('run:note', { runId: this.#run.runId, text }));
    if (!this.#run.live) await this.#run.catchUp();
  }

  /** Turns the proposed switch down. */
  async veto(): Promise<void> {
    const turnedDown = this.#run.proposal;
    const isDone = await this.#notices.attempt(() => this.#api.request('switch:veto', { runId: this.#run.runId }));
    if (isDone && turnedDown) this.#run.closeProposal(turnedDown);
  }

  /** A way back that fails says so. */
  async #takeBack(action: () => Promise<unknown>): Promise<void> {
    await this.#notices.attempt(action);
  }

  async #control(words: string, action: () => Promise<unknown>): Promise<boolean> {
    this.#pending = words;
    const done = await this.#notices.attempt(action);
    if (!done || !this.#run.live) this.#pending = null;
    if (done && !this.#run.live) await this.#run.catchUp();
    return done;
  }
}
