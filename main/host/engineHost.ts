/**
 * Supervises training: at most one live run per device, each with a trainer of its own; notices when a trainer dies and leaves the run in a
 * state that can be resumed; tells every page what changed. Never computes itself, so it answers while native code is busy.
 * architecture.md section 3.
 */
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { memoryKills } from '../engine/outOfMemory.ts';
import type { RunConfig } from '../protocol/config.ts';
import type { PushEvents } from '../protocol/events.ts';
import { PreloraError } from '../protocol/reply.ts';
import { releaseOwnLock } from '../store/lock.ts';
import { queueFolder, runsRoot } from '../store/paths.ts';
import { readConfig } from '../store/runFolder.ts';
import type { RunCommand } from '../train/commands.ts';
import { BundleJobs } from './bundleJobs.ts';
import { CrashPolicy } from './crashPolicy.ts';
import { type Death, recordCrash } from './crashRecord.ts';
import { EngineInstaller } from './engineInstaller.ts';
import type { TrainerLauncher, TrainerNeeds } from './launchTrainer.ts';
import { LiveRun, type LiveRunEvents, trainerClient } from './liveRun.ts';
import { RunCatalog } from './runCatalog.ts';
import { RunQueue } from './runQueue.ts';
import type { TrainerEvents } from './trainerContract.ts';
import { TrashTidying } from './trashTidying.ts';

/** How long a stop at the end of the program may take beyond its checkpoint (product.md section 3). */
const STOP_PATIENCE_MS = 30_000;

export interface EngineHostOptions {
  launch: TrainerLauncher;
  /** Shell or browser; the page hides what one of them lacks. */
  kind: 'desktop' | 'browser';
  log: (message: string) => void;
  /** Processes that the system killed for memory so far; null where it does not say. */
  memoryKills?: () => number | null;
  /** Ms since the epoch; for tests. */
  now?: () => number;
}

/** What a page subscribes to. */
export interface HostListener {
  push<K extends keyof PushEvents>(event: K, payload: PushEvents[K]): void;
  /** A live run has something new. */
  runChanged(runId: string): void;
  /** Nothing is trained or measured any more. */
  deviceFreed?(): void;
}

export interface Attendance {
  /** False where nobody is there to answer: a diverged run ends then. */
  isAttended?: boolean;
}

export class EngineHost {
  readonly catalog: RunCatalog;
  readonly installer = new EngineInstaller((progress) => this.broadcast('task:progress', progress));
  readonly bundleJobs = new BundleJobs((progress) => this.broadcast('task:progress', progress));
  /** Closed until somebody opens it: a host made for one job starts nothing by itself. */
  readonly queue = new RunQueue(this, queueFolder());
  /** As still as the queue until it is started. */
  readonly trashTidying: TrashTidying;
  readonly #live = new Map<string, LiveRun>();
  readonly #listeners = new Set<HostListener>();
  readonly #crashes = new CrashPolicy();
  /** True from a start request until its run is live: a second one must not slip in. */
  #isStarting = false;
  /** Settles when a loss is on the disk. */
  #recording: Promise<void> = Promise.resolve();

  readonly #runEvents: LiveRunEvents = {
    changed: ({ runId }) => this.#tellChanged(runId),
    proposed: ({ runId }, { step, dueStep }) => this.broadcast('switch:proposed', { runId, step, dueStep }),
    said: ({ runId }, message) => this.options.log(`${runId || 'new run'}: ${message}`),
    gone: (run, reason, ended) => this.#afterTrainer(run, reason, ended),
  };

  constructor(readonly options: EngineHostOptions) {
    this.catalog = new RunCatalog(runsRoot(), options.now);
    this.trashTidying = new TrashTidying(this.catalog.trash, {
      gone: (runIds) => this.broadcast('runs:changed', { runIds }),
      say: (message) => options.log(`trash: ${message}`),
    });
  }

  get dataRoot(): string {
    return path.dirname(this.catalog.root);
  }

  /** Gives back an unsubscribe. */
  listen(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  broadcast<K extends keyof PushEvents>(event: K, payload: PushEvents[K]): void {
    for (const listener of this.#listeners) listener.push(event, payload);
  }

  liveRun(runId: string): LiveRun | null {
    return this.#live.get(runId) ?? null;
  }

  /** The live run, if it can be steered; one that is ending is waited for, and counts as at rest. */
  async steerable(runId: string): Promise<LiveRun | null> {
    const live = this.#live.get(runId);
    if (!live?.isEnding) return live ?? null;
    await live.over;
    return this.steerable(runId);
  }

  /** Starts a run and gives back its id once its folder is there. Throws `busy`, or what the config or the data throw. */
  async start(config: RunConfig, { isAttended = true }: Attendance = {}): Promise<string> {
    return this.#launch(config.engine, (run) => run.start(config, isAttended));
  }

  /** Continues a run that is not live; `first` is obeyed before its next update. */
  async resume(runId: string, first: RunCommand[] = [], { isAttended = true }: Attendance = {}): Promise<void> {
    await this.#recording;
    const dir = await this.catalog.find(runId);
    const { engine } = await readConfig(dir);
    await this.#launch(engine, (run) => run.resume({ runId, dir, first, isAttended }));
  }

  /** Hands a command to a live run. Throws `not-found` when the run is not live, the run's refusal, or `trainer-exited`. */
  async command(runId: string, command: RunCommand): Promise<unknown> {
    const live = await this.steerable(runId);
    if (!live) throw new PreloraError('not-found', `run ${runId} is not being trained; resume it first`, 'runId');
    return live.command(command);
  }

  /**
   * One job in a trainer of its own, which ends with it. Throws `busy` while the device is taken, unless it is `beside` that very run: then
   * the caller has paused it.
   */
  async runJob<T>(
    needs: TrainerNeeds,
    job: (client: ReturnType<typeof trainerClient>) => Promise<T>,
    { beside }: { beside?: string } = {},
  ): Promise<T> {
    await this.#takeDevice(beside);
    const trainer = this.options.launch(needs);
    try {
      return await job(trainerClient(trainer));
    } finally {
      this.#isStarting = false;
      trainer.port.close();
      this.#tellFreed();
    }
  }

  /** The machine slept, and clocks went on meanwhile: the runs that are open take it out of their rates. */
  slept(ms: number): void {
    for (const live of this.#live.values())
      live.command({ kind: 'slept', ms }).catch((error) => this.options.log(`sleep not told: ${error}`));
  }

  /** The run that has the device, as the reason why another one must wait; null when it is free. */
  get occupiedBy(): string | null {
    const [live] = this.#live.values();
    if (live) return `run ${live.status?.name || live.runId} is ${live.status?.status ?? 'being started'}`;
    return this.#isStarting ? 'another run is being started or measured' : null;
  }

  /** A run or a job is opening its data, or has no folder yet that would say so. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** Stops all runs with a checkpoint, an install, which a repeat continues, and a bundle, of which nothing is left. */
  async close(): Promise<void> {
    this.installer.cancel();
    this.bundleJobs.cancel();
    this.trashTidying.stop();
    await this.queue.close();
    await Promise.all([...this.#live.values()].map((live) => live.stop(STOP_PATIENCE_MS)));
  }

  async #launch(needs: TrainerNeeds, begin: (run: LiveRun) => Promise<void>): Promise<string> {
    await this.#takeDevice();
    const run = new LiveRun(this.options.launch(needs), this.#runEvents, this.#memoryKills());
    try {
      await begin(run);
      this.#live.set(run.runId, run);
      this.broadcast('runs:changed', { runIds: [run.runId] });
      this.#tellChanged(run.runId);
      return run.runId;
    } catch (error) {
      run.trainer.port.close();
      throw error;
    } finally {
      this.#isStarting = false;
      this.#tellFreed();
    }
  }

  #tellFreed(): void {
    if (this.occupiedBy !== null) return;
    for (const listener of this.#listeners) listener.deviceFreed?.();
  }

  /** Takes the device for a start or a job. Throws `busy` while a run other than `beside` is live, but waits for one that is ending. */
  async #takeDevice(beside?: string): Promise<void> {
    for (const live of this.#live.values()) if (live.isEnding) await live.over;
    const live = [...this.#live.values()].find(({ runId }) => runId !== beside);
    if (live) throw new PreloraError('busy', `run ${live.runId} is being trained; one run at a time fits the device. Stop it first`);
    if (this.#isStarting) throw new PreloraError('busy', 'another run is being started; one run at a time fits the device');
    // Without a pause after the checks: of two that come at once only one gets it.
    this.#isStarting = true;
  }

  #tellChanged(runId: string): void {
    for (const listener of this.#listeners) listener.runChanged(runId);
  }

  async #afterTrainer(run: LiveRun, reason: string, ended: TrainerEvents['ended'] | null): Promise<void> {
    // A trainer that ends at once must not be forgotten before it was remembered.
    await nextTurn();
    const { runId } = run;
    // It never opened a run: whoever asked for one has been told.
    if (runId === '') return;
    const crash = ended === null ? await this.#recordDeath(run, reason) : null;
    this.#live.delete(runId);
    this.#tellChanged(runId);
    this.broadcast('runs:changed', { runIds: [runId] });
    // Last: whoever hears of it may resume at once.
    if (ended === null) this.broadcast('trainer:exited', { runId, reason: (crash ?? reason) + this.#advice(), resumable: true });
    this.#tellFreed();
    if (ended?.end === 'failed') this.broadcast('trainer:exited', { runId, reason: ended.message ?? reason, resumable: true });
  }

  /**
   * A run that was lost with the host before this one, which died under it: its journal and status say so. Resuming waits for that.
   */
  recordLoss(runId: string, death: Death): Promise<void> {
    this.#recording = this.catalog
      .find(runId)
      .then((dir) => this.#recordCrash(runId, dir, death))
      .then(() => this.broadcast('runs:changed', { runIds: [runId] }))
      .catch((error) => this.options.log(`${runId}: ${error instanceof Error ? error.message : error}`));
    return this.#recording;
  }

  #recordDeath({ runId, dir, trainer, memoryKillsBefore }: LiveRun, reason: string): Promise<string | null> {
    // A dead thread leaves a lock with the pid of this process, which lives on.
    if (trainer.pid === null) releaseOwnLock(dir);
    const kills = this.#memoryKills();
    return this.#recordCrash(runId, dir, {
      reason,
      wasKilledForMemory: kills !== null && memoryKillsBefore !== null && kills > memoryKillsBefore,
    });
  }

  /** Journal and status say what happened. Gives back the words; null when they could not be written. */
  async #recordCrash(runId: string, dir: string, death: Death): Promise<string | null> {
    try {
      return await recordCrash(dir, death);
    } catch (error) {
      this.options.log(`${runId}: the crash could not be recorded: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  }

  /** Nothing resumes by itself here, so a user may always try; from the third crash on with a hint. */
  #advice(): string {
    if (this.#crashes.record(performance.now())) return '';
    return '. That was the third crash in five minutes: a smaller train.batchSize or engine.backend wasm may help';
  }

  #memoryKills(): number | null {
    return (this.options.memoryKills ?? memoryKills)();
  }
}
