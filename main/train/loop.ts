/**
 * A run from its first update to its last, in plain order: the file to read first. At each step boundary things happen in the order that
 * method.md section 5 fixes. What a boundary needs lies beside this file: phaseTrainer.ts (the update), core/phase.ts (decisions),
 * runState.ts and checkpoints.ts (what is kept, and when), recorder.ts (files and listeners), userCommands.ts (what the user asks),
 * failure.ts (what is left behind when a step throws).
 */
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { durationSteps } from '../core/duration.ts';
import {
  afterSnapshot,
  applyFreeze,
  applySwitch,
  freezeDue,
  type Outcome,
  planFixedSwitch,
  snapshotDue,
  switchDue,
} from '../core/phase.ts';
import { type PhaseSettings, phaseSettings } from '../core/phaseSettings.ts';
import { type LrSchedule, lrMultiplier } from '../core/schedule.ts';
import { countInPhase } from '../core/trainableSet.ts';
import { type Batch, type EvalBatch, openEvalBatches, openTrainBatches, type TrainBatches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import type { ChosenBackend } from '../engine/choose.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { MemoryShortage, SnapshotRecord } from '../protocol/records.ts';
import type { Phase, RunStatus } from '../protocol/run.ts';
import type { RunStore } from '../store/runStore.ts';
import { Checkpoints } from './checkpoints.ts';
import type { CommandQueue } from './commands.ts';
import { addSums, type EvaluationSums, scoreLogits } from './evaluate.ts';
import { recordFailure } from './failure.ts';
import { LatestEnd } from './latestEnd.ts';
import { PhaseHistory } from './phaseHistory.ts';
import { DivergedError, PhaseTrainer, type StartProgram, type UpdateResult } from './phaseTrainer.ts';
import { Recorder, type RunListener } from './recorder.ts';
import { adaptedRanks, type RunState } from './runState.ts';
import { Sleep, type SleepClocks, SYSTEM_CLOCKS } from './sleep.ts';
import { statusFile } from './statusFile.ts';
import { freezeState, resetOptimizer, switchState } from './switchPhase.ts';
import type { TensorState } from './tensorState.ts';
import { obeyCommands, waitWhilePaused } from './userCommands.ts';

export interface TrainingRunOptions {
  store: RunStore;
  dataset: Dataset;
  backend: ChosenBackend;
  /** Compiled where possible. */
  start: StartProgram;
  startEager: StartProgram;
  commands: CommandQueue;
  listener: RunListener;
  /** A user is there to answer: a diverged run waits for commands instead of ending. */
  isAttended: boolean;
  /** Clocks that tell of sleep; handed in by tests. */
  sleepClocks?: SleepClocks | null;
}

/** How training ended. `interrupted` and `diverged` can be resumed. */
export type RunEnd = Extract<RunStatus, 'finished' | 'interrupted' | 'diverged'>;

export class TrainingRun {
  readonly options: TrainingRunOptions;
  readonly recorder: Recorder;
  state: RunState;
  trainer: PhaseTrainer;
  status: RunStatus = 'running';
  /** Set by a command: the run ends at this boundary. */
  stopRequested = false;
  /** Set by a command: pause when this step is reached. */
  pauseAtStep: number | null = null;
  message: string | null = null;
  /** Set when memory ran out. */
  shortage: MemoryShortage | null = null;
  readonly latestEnd = new LatestEnd();
  readonly sleep: Sleep;
  readonly checkpoints = new Checkpoints(this);
  readonly pace = new PhaseHistory();
  #batches: TrainBatches;

  constructor(options: TrainingRunOptions, state: RunState, tensors: TensorState) {
    this.options = options;
    this.recorder = new Recorder(options.store, options.listener);
    this.sleep = new Sleep(this, options.sleepClocks === undefined ? SYSTEM_CLOCKS : options.sleepClocks);
    this.state = state;
    this.trainer = this.#createTrainer(tensors);
    this.state.engine = { ...this.state.engine, compiled: this.trainer.isCompiled };
    this.#batches = this.#openBatches();
    this.pace.open(this.state);
  }

  get config(): ResolvedConfig {
    return this.state.config;
  }

  get settings(): PhaseSettings {
    return phaseSettings(this.config, this.state);
  }

  /** Trains to the end, or until it is stopped. Closes the batches and the trainer; the store stays open. */
  async run(): Promise<RunEnd> {
    this.pace.watchDevice(this.options.backend);
    try {
      await this.#openEventLog();
      if (this.state.step === 0 && this.state.segment === 0) await this.#begin();
      await this.writeStatus({ now: true });
      await this.#obeyAndChangePhase(); // what waited when a paused run was left
      while (this.state.step < this.state.totalSteps && !this.stopRequested) await this.#oneStep();
      return await this.#end();
    } catch (error) {
      throw await recordFailure(this, error);
    } finally {
      this.pace.close();
      this.recorder.closeEventLog();
      await this.#batches.close();
      this.trainer.dispose();
    }
  }

  /** One update and its boundary, in the order of method.md section 5. */
  async #oneStep(): Promise<void> {
    const result = await this.#applyUpdate();
    if (!result) return;
    this.sleep.look();
    if (snapshotDue(this.state.phase, this.state.step, this.settings)) this.#takeSnapshot(result);
    if (this.state.step % this.state.stepsPerEpoch === 0) await this.#endEpoch();
    this.#endInTime();
    this.#accept(planFixedSwitch(this.state.phase, this.state.step, this.settings));
    await this.#obeyAndChangePhase();
    if (this.checkpoints.isDue) await this.checkpoints.save();
    await this.writeStatus();
    await yieldToEvents(); // lets messages and signals in
  }

  async #obeyAndChangePhase(): Promise<void> {
    if (this.pauseAtStep !== null && this.state.step >= this.pauseAtStep) this.status = 'paused';
    await obeyCommands(this);
    if (this.status === 'paused') await this.#waitOutPause();
    if (this.stopRequested) return;
    if (switchDue(this.state.phase, this.state.step, this.settings)) await this.#switchPhase();
    if (freezeDue(this.state.phase, this.state.step, this.settings)) await this.#freeze();
  }

  async #waitOutPause(): Promise<void> {
    const began = performance.now();
    while (this.status === 'paused' && !this.stopRequested) await waitWhilePaused(this);
    this.latestEnd.leaveOut(performance.now() - began);
  }

  // ---- the update --------------------------------------------------------------------------------------------------

  /** Update s → s + 1, its interval loss and its line of metrics. Null when it diverged and the run was stopped. */
  async #applyUpdate(): Promise<UpdateResult | null> {
    const started = performance.now();
    const batches = await this.#nextBatches();
    const step = this.state.step + 1;
    const lr = this.learningRate(step);
    for (;;) {
      try {
        const result = this.trainer.update(step, lr, batches);
        this.state.step = step;
        this.#count(result, { lr, ms: performance.now() - started, waitMs: batches.reduce((sum, { waitMs }) => sum + waitMs, 0) });
        for (const batch of batches) this.#batches.recycle(batch);
        return result;
      } catch (error) {
        if (!(error instanceof DivergedError)) throw error;
        await this.#onDivergence(error, step);
        if (this.stopRequested) return null;
      }
    }
  }

  /** The micro-batches of the next update. */
  async #nextBatches(): Promise<Batch[]> {
    const { batchSize, microBatch, dropLast } = this.config.train;
    const { stepsPerEpoch, step } = this.state;
    const rest = this.options.dataset.train.count - (step % stepsPerEpoch) * batchSize;
    const size = dropLast ? batchSize : Math.min(batchSize, rest);
    const batches: Batch[] = [];
    for (let micro = 0; micro * microBatch < size; micro++) batches.push(await this.#batches.next());
    for (const { replaced } of batches) {
      if (replaced.length > 0) this.journal('images-replaced', 'program', { replaced: [...replaced] });
    }
    return batches;
  }

  #count(result: UpdateResult, { lr, ms, waitMs }: { lr: number; ms: number; waitMs: number }): void {
    const { interval, epoch, step } = this.state;
    interval.loss += result.loss * result.count;
    interval.count += result.count;
    epoch.loss += result.loss * result.count;
    epoch.correct += result.correct;
    epoch.count += result.count;
    this.sleep.sawStep(ms, epoch.seconds === 0);
    epoch.seconds += ms / 1000;
    this.pace.add(ms, result.count);
    if (step % this.config.logging.metricsEvery !== 0) return;
    this.recorder.metrics({
      ...this.#place(),
      loss: result.loss,
      lr,
      imagesPerSecond: (1000 * result.count) / ms,
      stepMs: ms,
      dataWaitMs: waitMs,
      ...this.pace.memoryNow,
      gradNorm: result.gradNorm,
    });
  }

  async #onDivergence(error: DivergedError, step: number): Promise<void> {
    this.message = `${error.tensor} is not finite at update ${step}; it was not applied. Go on from here with a lower train.lr (now ${this.config.train.lr})`;
    this.journal('diverged', 'program', { tensor: error.tensor, update: step });
    await this.checkpoints.save();
    this.status = 'diverged';
    await this.writeStatus({ now: true });
    if (!this.options.isAttended) {
      this.stopRequested = true;
      return;
    }
    while (this.status === 'diverged' && !this.stopRequested) await waitWhilePaused(this);
    this.message = null;
  }

  /** η of update `step`. */
  learningRate(step: number): number {
    return this.config.train.lr * lrMultiplier(step, this.schedule);
  }

  get schedule(): LrSchedule {
    const { stepsPerEpoch, phase, extensions } = this.state;
    const { train, prelora } = this.config;
    return {
      lrWarmupSteps: durationSteps(train.lrWarmupSteps, stepsPerEpoch),
      totalSteps: this.#firstTotalSteps(),
      lrFloor: train.lrFloor,
      lrRampSteps: durationSteps(prelora.lrRampSteps, stepsPerEpoch),
      freezeStep: phase.freezeStep,
      extensions,
    };
  }

  /** T before any edit of epochs: what the run was created with. */
  #firstTotalSteps(): number {
    return this.options.store.config.train.epochs * this.state.stepsPerEpoch;
  }

  // ---- snapshot, epoch ---------------------------------------------------------------------------------------------

  #takeSnapshot(result: UpdateResult): void {
    const norms = this.trainer.measureNorms();
    const { interval } = this.state;
    const modules = Object.entries(norms).map(([module, norm]) => [module, { ...norm, gradNorm: result.moduleGradNorms[module] ?? null }]);
    const snapshot: SnapshotRecord = { ...this.#place(), loss: interval.loss / interval.count, modules: Object.fromEntries(modules) };
    this.state.interval = { loss: 0, count: 0 };
    this.recorder.snapshot(snapshot);
    const outcome = afterSnapshot(this.state.phase, snapshot, this.settings);
    this.#accept(outcome);
    if (outcome.report) this.recorder.activity(outcome.report.words);
  }

  async #endEpoch(): Promise<void> {
    const { epoch, step, stepsPerEpoch } = this.state;
    const number = step / stepsPerEpoch;
    const isLast = step >= this.state.totalSteps;
    const scores = isLast || number % this.config.train.evalEvery === 0 ? await this.evaluate() : null;
    await this.recorder.epoch({
      ...this.#place(),
      epoch: number,
      trainLoss: epoch.loss / epoch.count,
      trainTop1: epoch.correct / epoch.count,
      valLoss: scores && scores.loss / scores.count,
      valTop1: scores && scores.top1 / scores.count,
      valTop5: scores && scores.top5 / scores.count,
      seconds: epoch.seconds,
      imagesPerSecond: epoch.count / epoch.seconds,
      peakMemoryBytes: this.pace.memory.peakBytes(),
      lr: this.learningRate(step),
    });
    this.state.epoch = { loss: 0, correct: 0, count: 0, seconds: 0 };
    if (scores) await this.#keepBest(scores.top1 / scores.count, number);
  }

  /** Sums over the whole validation split; changes nothing. `each` sees the logits of every batch. */
  async evaluate(each?: (logits: Float32Array, batch: EvalBatch) => void): Promise<EvaluationSums> {
    this.recorder.activity('evaluating');
    const parts: EvaluationSums[] = [];
    for await (const batch of openEvalBatches(this.options.dataset, this.config, this.trainer.evalBatch)) {
      const logits = this.trainer.logits(batch);
      parts.push(scoreLogits(logits, batch.labels));
      each?.(logits, batch);
    }
    this.recorder.activity('training');
    return addSums(parts);
  }

  async #keepBest(valTop1: number, epoch: number): Promise<void> {
    if (this.state.best === null || valTop1 > this.state.best.valTop1) {
      this.state.best = { step: this.state.step, epoch, valTop1 };
      this.state.evaluationsWithoutBest = 0;
      this.checkpoints.isRequested = true;
      return;
    }
    this.state.evaluationsWithoutBest++;
    const patience = this.config.train.earlyStopPatience;
    if (patience === 0 || this.state.evaluationsWithoutBest < patience) return;
    this.journal('early-stop', 'rule', { patience, best: this.state.best });
    this.state.totalSteps = this.state.step;
  }

  #endInTime(): void {
    const { latestEnd } = this.config.train;
    const { step, stepsPerEpoch, totalSteps } = this.state;
    const isReached = this.latestEnd.isReached(latestEnd, step % stepsPerEpoch === 0);
    if (!isReached || step >= totalSteps) return;
    this.journal('latest-end', 'rule', { latestEnd });
    this.state.totalSteps = step;
  }

  // ---- phases ------------------------------------------------------------------------------------------------------

  async #switchPhase(): Promise<void> {
    if (!(await this.checkpoints.pin('before-switch'))) return; // no checkpoint, no switch
    this.pace.update(this.state, this.state.step);
    const { plan, ...outcome } = applySwitch(this.state.phase, this.state.step, this.settings);
    const isReset = outcome.state.phase === 'full';
    this.state.ranks = plan.modules;
    if (!isReset) {
      const { step, reason, modules, adapterParameters, trainableAfterFreeze, share } = plan;
      // Before the journal tells of the switch: whoever reads of it finds the ranks.
      await this.recorder.ranks({ step, reason, modules, adapterParameters, trainableAfterFreeze, share });
    }
    this.#accept(outcome);
    const optimizer = isReset ? 'reset' : this.config.prelora.optimizerAtSwitch;
    this.#replaceTrainer(optimizer, (tensors) => {
      return isReset ? resetOptimizer(tensors) : switchState(tensors, this.config, adaptedRanks(this.state));
    });
    await this.writeStatus({ now: true });
  }

  async #freeze(): Promise<void> {
    this.pace.update(this.state, this.state.step);
    this.#accept(applyFreeze(this.state.phase, this.state.step));
    this.#replaceTrainer(this.config.prelora.optimizerAtFreeze, (tensors) => freezeState(tensors, this.config, adaptedRanks(this.state)));
    this.checkpoints.isRequested = true;
    await this.writeStatus({ now: true });
  }

  /**
   * State out of one program and into the next. The old one is freed first, so that both are never there at once; moments that will be
   * dropped are not read.
   */
  #replaceTrainer(optimizer: 'reset' | 'keepByName', change: (tensors: TensorState) => TensorState): void {
    const tensors = this.trainer.readState({ moments: optimizer === 'keepByName' });
    this.trainer.dispose();
    this.trainer = this.#createTrainer(change(tensors));
    this.pace.open(this.state);
  }

  #createTrainer(state: TensorState): PhaseTrainer {
    const { start, startEager } = this.options;
    return new PhaseTrainer({
      config: this.config,
      phase: this.state.phase.phase,
      ranks: adaptedRanks(this.state),
      state,
      start,
      startEager,
    });
  }

  /** Goes on from another state: a new program, and batches from its step on. */
  async restart(state: RunState, tensors: TensorState): Promise<void> {
    this.state = state;
    this.trainer.dispose();
    this.trainer = this.#createTrainer(tensors);
    await this.#batches.close();
    this.#batches = this.#openBatches();
    this.pace.open(this.state);
    await this.#openEventLog();
  }

  #openBatches(): TrainBatches {
    return openTrainBatches(this.options.dataset, this.config, { fromStep: this.state.step });
  }

  // ---- begin, end, journal, status ---------------------------------------------------------------------------------

  async #begin(): Promise<void> {
    const { backend } = this.options;
    const { base } = countInPhase(this.config, 'full', {});
    this.journal('started', 'program', {
      parameters: base,
      backend: backend.name,
      version: backend.version,
      device: backend.device,
      why: backend.why,
    });
  }

  async #openEventLog(): Promise<void> {
    if (!this.config.logging.tensorboard) return;
    const { step } = this.state;
    await this.recorder.openEventLog({ config: () => this.config, step }, (message) => {
      this.journal('tensorboard-stopped', 'program', { message });
    });
  }

  async #end(): Promise<RunEnd> {
    const end: RunEnd = this.status === 'diverged' ? 'diverged' : this.stopRequested ? 'interrupted' : 'finished';
    if (end === 'finished') this.pace.update(this.state, this.state.step);
    else await this.checkpoints.save();
    this.status = end;
    this.journal(end, 'program', {});
    await this.writeStatus({ now: true });
    this.options.store.sync();
    return end;
  }

  /** Takes a decision over and journals what came with it. */
  #accept({ state, events }: Outcome): void {
    this.state.phase = state;
    for (const { kind, by, detail } of events) this.journal(kind, by, detail);
  }

  /** For commands, which decide by the same functions. */
  accept(outcome: Outcome): void {
    this.#accept(outcome);
    this.checkpoints.isRequested = true;
  }

  journal(kind: string, by: 'user' | 'rule' | 'program', detail: Record<string, unknown>): void {
    this.recorder.event({ kind, step: this.state.step, by, detail }, this.state.segment);
  }

  #place(): { step: number; epoch: number; phase: Phase; segment: number } {
    const { step, stepsPerEpoch, phase, segment } = this.state;
    // The phase an update began in; the phase moves only after the records of its boundary are written.
    return { step, epoch: step / stepsPerEpoch, phase: phase.phase, segment };
  }

  async writeStatus(when: { now?: boolean } = {}): Promise<void> {
    await this.recorder.status(statusFile(this), when);
  }

  /** Seconds to the end at the present pace, null while that is not known. */
  get secondsLeft(): number | null {
    const ms = this.pace.recentStepMs;
    return ms === null ? null : ((this.state.totalSteps - this.state.step) * ms) / 1000;
  }
}
