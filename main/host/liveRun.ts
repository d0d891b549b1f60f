/**
 * One run that is being trained, seen from the host: its trainer, its latest status, and what the user has asked for and not yet got. It
 * answers at once while the trainer is inside native code, because it only remembers.
 */
import type { RunConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { StatusFile } from '../protocol/run.ts';
import type { RunCommand } from '../train/commands.ts';
import type { LaunchedTrainer } from './launchTrainer.ts';
import { createClient, type RpcClient } from './rpc.ts';
import type { TrainerEvents, trainerRequests } from './trainerContract.ts';

/** What a command says while it waits for the step boundary. */
const WAITING_WORDS: Partial<Record<RunCommand['kind'], string>> = {
  pause: 'pausing after this step',
  stop: 'stopping after this step',
  resume: 'going on',
  checkpoint: 'writing a checkpoint after this step',
  edit: 'changing settings after this step',
  switchNow: 'switching after this step',
  freezeNow: 'freezing after this step',
  undo: 'going back to before the switch',
  evaluate: 'evaluating after this step',
};

export interface LiveRunEvents {
  /** Records were written, or status or activity changed. */
  changed(run: LiveRun): void;
  proposed(run: LiveRun, proposal: TrainerEvents['proposed']): void;
  said(run: LiveRun, message: string): void;
  /** The trainer is gone. `ended` is null when it went without a word. Settles when the run's folder is in order again. */
  gone(run: LiveRun, reason: string, ended: TrainerEvents['ended'] | null): Promise<void>;
}

export interface ResumeOrder {
  runId: string;
  dir: string;
  first: RunCommand[];
  isAttended: boolean;
}

export class LiveRun {
  /** Empty until the trainer has opened the run. */
  runId = '';
  dir = '';
  status: StatusFile | null = null;
  /** Resolves when the trainer is gone and what it left is in order. */
  readonly over: Promise<void>;
  #activity = 'starting';
  #ended: TrainerEvents['ended'] | null = null;
  #isGone = false;
  readonly #waiting: string[] = [];
  readonly #client: RpcClient<typeof trainerRequests, TrainerEvents>;

  /** Listens before anything is asked: a trainer tells of its first status before it answers. */
  constructor(
    readonly trainer: LaunchedTrainer,
    readonly events: LiveRunEvents,
    /** Processes that the system had killed for memory when this one was started. */
    readonly memoryKillsBefore: number | null = null,
  ) {
    const client = trainerClient(trainer);
    client.on('progress', ({ status, activity }) => {
      this.status = status;
      this.#activity = activity;
      events.changed(this);
    });
    client.on('proposed', (proposal) => events.proposed(this, proposal));
    client.on('said', ({ message }) => events.said(this, message));
    client.on('ended', (ended) => {
      this.#ended = ended;
    });
    this.#client = client;
    this.over = new Promise((resolve) => {
      trainer.port.onClose((reason) => {
        this.#isGone = true;
        void events.gone(this, reason, this.#ended).finally(resolve);
      });
    });
  }

  /** Starts a new run. Throws what the config or the data throw, or `trainer-exited`. */
  async start(config: RunConfig, isAttended: boolean): Promise<void> {
    const { runId, dir } = await this.#client.request('start', { config, dir: null, isAttended });
    Object.assign(this, { runId, dir });
  }

  /** Continues a run, known to the catalog as `runId`; `first` is obeyed before its next update. */
  async resume({ runId, dir, first, isAttended }: ResumeOrder): Promise<void> {
    await this.#client.request('resume', { dir, first, isAttended });
    Object.assign(this, { runId, dir });
  }

  /** How the run ended by its own account; null while it trains, and when its trainer died. */
  get ended(): TrainerEvents['ended'] | null {
    return this.#ended;
  }

  /** What the run is doing, or what a control is waiting for. */
  get activity(): string {
    return this.#waiting.at(-1) ?? this.#activity;
  }

  /** The run has ended and its trainer is on the way out, or gone without a word: it obeys nothing any more. */
  get isEnding(): boolean {
    const { status } = this.status ?? {};
    return this.#isGone || this.#ended !== null || status === 'finished' || status === 'interrupted' || status === 'failed';
  }

  get etaSeconds(): number | null {
    const { status, secondsLeft } = { status: this.status?.status, secondsLeft: this.status?.secondsLeft };
    return status === 'running' && typeof secondsLeft === 'number' ? secondsLeft : null;
  }

  /** Settles when the command was obeyed at a step boundary. Throws what it was refused with, or `trainer-exited`. */
  async command(command: RunCommand): Promise<unknown> {
    const words = WAITING_WORDS[command.kind];
    if (words) this.#waiting.push(words);
    this.events.changed(this);
    try {
      return await this.#client.request('command', { command });
    } finally {
      const index = words ? this.#waiting.indexOf(words) : -1;
      if (index >= 0) this.#waiting.splice(index, 1);
      this.events.changed(this);
    }
  }

  /** Asks the run to stop and waits until it is over; with `patienceMs` a trainer that takes longer is ended by force. */
  async stop(patienceMs: number | null = null): Promise<void> {
    const timer = patienceMs === null ? undefined : setTimeout(() => this.trainer.port.close(), patienceMs);
    await this.command({ kind: 'stop' }).catch((error: unknown) => {
      // Refused or gone: it is ending already.
      if (!(error instanceof PreloraError)) throw error;
    });
    await this.over;
    clearTimeout(timer);
  }
}

/** A client for a freshly launched trainer. */
export function trainerClient(trainer: LaunchedTrainer): RpcClient<typeof trainerRequests, TrainerEvents> {
  return createClient<typeof trainerRequests, TrainerEvents>(trainer.port);
}
