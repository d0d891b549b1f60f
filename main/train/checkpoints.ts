/**
 * The checkpoints that a run writes as it trains: when one is due, which of them must stay, and what happens where the disk refuses. What one holds
 * is in runState.ts, how it comes to the disk in store/checkpoint.ts.
 */
import { durationSteps } from '../core/duration.ts';
import type { DiskRoom } from '../protocol/run.ts';
import { diskRoom } from '../store/checkpoint.ts';
import { isDiskFault } from '../store/diskFault.ts';
import type { TrainingRun } from './loop.ts';
import { checkpointContent } from './runState.ts';

export class Checkpoints {
  /** Something happened that a crash must not lose: a user's edit, a new best. */
  isRequested = false;
  /** What the disk had left after the newest one; null before. */
  room: DiskRoom | null = null;
  readonly #run: TrainingRun;
  /** Steps that have a pinned checkpoint, which a plain one must not replace. */
  readonly #pinnedSteps = new Set<number>();

  constructor(run: TrainingRun) {
    this.#run = run;
  }

  /** At this boundary. */
  get isDue(): boolean {
    const { state, config } = this.#run;
    if (this.isRequested || state.step >= state.totalSteps) return true;
    const every = durationSteps(config.train.checkpointEvery, state.stepsPerEpoch);
    return every > 0 && state.step % every === 0;
  }

  /**
   * Writes everything a resume needs; a pinned checkpoint of this step already holds it. Where the disk refuses, an attended run pauses with
   * the reason and false is returned; nothing old is harmed, and the next boundary after a resume tries again (reliability.md R4).
   */
  async save(): Promise<boolean> {
    const { state, recorder, pace, options } = this.#run;
    this.isRequested = false;
    if (this.#pinnedSteps.has(state.step)) return true;
    recorder.activity('writing a checkpoint');
    pace.update(state, null);
    try {
      await this.#write();
    } catch (error) {
      if (!options.isAttended || !isDiskFault(error)) throw error;
      this.#pauseForDisk(error.message);
      return false;
    }
    recorder.activity('training');
    return true;
  }

  /** Writes one that is never pruned; false as for `save`. */
  async pin(reason: 'before-switch' | 'before-undo'): Promise<boolean> {
    const { step, segment } = this.#run.state;
    if (!(await this.save())) return false;
    await this.#run.options.store.pinCheckpoint({ step, segment, reason });
    this.#pinnedSteps.add(step);
    return true;
  }

  /** Steps of an abandoned segment mean nothing in a new one. */
  forgetPins(): void {
    this.#pinnedSteps.clear();
  }

  async #write(): Promise<void> {
    const { state, trainer, config, recorder } = this.#run;
    const { store } = this.#run.options;
    const { best, step } = state;
    const manifest = await store.saveCheckpoint(checkpointContent(state, trainer.readState()));
    if (best?.step === step) await store.writeBest(best);
    await store.pruneCheckpoints({ newest: config.train.keepCheckpoints, best: best?.step ?? null });
    await recorder.checkpoint(step);
    this.#watchRoom(await diskRoom(store.dir, manifest));
  }

  /** Says once that the disk fills up, before a checkpoint does not fit and the run has to pause. */
  #watchRoom(room: DiskRoom): void {
    const { freeBytes, checkpointBytes, isLow } = room;
    if (isLow && !this.room?.isLow) this.#run.journal('disk-low', 'program', { freeBytes, checkpointBytes });
    this.room = room;
  }

  #pauseForDisk(reason: string): void {
    this.#run.message = reason;
    this.isRequested = true;
    if (this.#run.status === 'running') this.#run.status = 'paused';
  }
}
