/**
 * A trainer that trains nothing: it opens a run folder as a real one does, and a test says what it tells and when it ends. For what may happen
 * between two messages, which a real trainer does once in a hundred runs.
 */
import path from 'node:path';
import type { LaunchedTrainer } from '../../main/host/launchTrainer.ts';
import { portPair } from '../../main/host/port.ts';
import { push, serveRequests } from '../../main/host/rpc.ts';
import { type TrainerEvents, trainerRequests } from '../../main/host/trainerContract.ts';
import type { StatusFile } from '../../main/protocol/run.ts';
import { runsRoot } from '../../main/store/paths.ts';
import { createRun, openRun, type RunStore } from '../../main/store/runStore.ts';
import type { RunCommand } from '../../main/train/commands.ts';
import { tinyRunConfig } from '../store/tinyRun.ts';

export class ScriptedTrainer {
  /** Commands that reached the trainer. */
  readonly commands: RunCommand[] = [];
  readonly #near: LaunchedTrainer;
  readonly #tell: <K extends keyof TrainerEvents>(event: K, payload: TrainerEvents[K]) => void;
  readonly #exit: () => void;
  #store: RunStore | null = null;
  #lastWords: string | null = null;

  constructor() {
    const [near, far] = portPair();
    const onClose = (listener: (reason: string) => void) => near.onClose((reason) => listener(this.#lastWords ?? reason));
    this.#near = { port: { ...near, onClose }, pid: process.pid };
    this.#tell = (event, payload) => push<TrainerEvents, typeof event>(far, event, payload);
    this.#exit = () => far.close();
    const refuse = (): never => {
      throw new Error('not scripted');
    };
    const handlers = {
      start: async () => this.#opened(await createRun({ dir: path.join(runsRoot(), 'scripted'), config: tinyRunConfig })),
      resume: async ({ dir, first }: { dir: string; first: RunCommand[] }) => {
        this.commands.push(...first);
        return this.#opened(await openRun(dir));
      },
      command: async ({ command }: { command: RunCommand }) => void this.commands.push(command),
      evaluateCheckpoint: refuse,
      predictCheckpoint: refuse,
      exportCheckpoint: refuse,
      mergeCheckpoint: refuse,
      measurePhase: refuse,
    };
    serveRequests(far, trainerRequests, handlers, () => {});
  }

  /** For the host. */
  get launched(): LaunchedTrainer {
    return this.#near;
  }

  /** Writes a status and tells of it, as the loop does. */
  async status(changes: Partial<StatusFile>): Promise<void> {
    const status = { ...blankStatus(this.#store?.runId ?? ''), ...changes };
    await this.#store?.writeStatus(status);
    this.#tell('progress', { status, activity: 'training' });
  }

  /** The run is over: its folder is free, the last words are said, the trainer is gone. */
  end(end: TrainerEvents['ended']['end']): void {
    this.#store?.close();
    this.#tell('ended', { end, message: null });
    this.#exit();
  }

  /** The trainer is gone without a word of its own; the system may say why. */
  die(reason: string | null = null): void {
    this.#lastWords = reason;
    this.#store?.close();
    this.#exit();
  }

  #opened(store: RunStore): { runId: string; dir: string } {
    this.#store = store;
    return { runId: store.runId, dir: store.dir };
  }
}

function blankStatus(runId: string): StatusFile {
  return {
    runId,
    name: 'scripted',
    status: 'running',
    phase: 'full',
    step: 0,
    totalSteps: 8,
    stepsPerEpoch: 4,
    epoch: 0,
    epochs: 2,
    segment: 0,
    switchStep: null,
    freezeStep: null,
    trainableParameters: 1,
    totalParameters: 1,
    best: null,
    backend: { name: 'cpu', version: '', device: '', why: '', compiled: false },
    message: null,
    updatedAt: new Date(0).toISOString(),
  };
}
