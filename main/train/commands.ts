/**
 * What a user may ask of a running run. Commands wait in a queue and are obeyed at a step boundary in order of arrival (method.md
 * section 5); each answers its sender once.
 */
import type { LrExtension } from '../core/schedule.ts';
import { PreloraError } from '../protocol/reply.ts';

/** Until when a proposal is put off; product.md 2.4. */
export type DeferUntil = { tests: number } | { step: number } | { epoch: number } | { allModules: true };

export type RunCommand =
  | { kind: 'pause' }
  | { kind: 'resume' }
  /** Train this many updates, then pause. */
  | { kind: 'advance'; steps: number }
  /** Checkpoint, then end the trainer; the run can be resumed. */
  | { kind: 'stop' }
  | { kind: 'checkpoint' }
  /** Config paths → new values, journalled old → new. */
  | { kind: 'edit'; changes: Record<string, unknown>; extension: LrExtension['mode'] }
  | { kind: 'note'; text: string }
  /** The machine slept this long, and the clock of the steps went on meanwhile (sleep.ts). */
  | { kind: 'slept'; ms: number }
  /** Switch at this boundary; with `ranks` exactly those. */
  | { kind: 'switchNow'; ranks?: Record<string, number> }
  | { kind: 'veto' }
  | { kind: 'defer'; until: DeferUntil }
  | { kind: 'freezeNow' }
  | { kind: 'undo' }
  /** Validation metrics of the present weights; the run is not changed by it. */
  | { kind: 'evaluate' }
  /** Class probabilities of one preprocessed image, flattened patches `[1, N−1, P·P·K]`. */
  | { kind: 'predict'; patches: Float32Array };

export interface QueuedCommand {
  command: RunCommand;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Commands from outside, taken at step boundaries. */
export class CommandQueue {
  #waiting: QueuedCommand[] = [];
  #wake: (() => void) | null = null;
  #closed = false;

  /** Hands a command over; settles when it was obeyed or refused. */
  push(command: RunCommand): Promise<unknown> {
    if (this.#closed) return Promise.reject(new PreloraError('not-found', 'the run has ended; open it again to change it'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#wake?.();
    });
  }

  /** The oldest waiting command, or null. */
  take(): QueuedCommand | null {
    return this.#waiting.shift() ?? null;
  }

  /** Resolves when there is a command; a paused run waits here. */
  async waitForOne(): Promise<void> {
    if (this.#waiting.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }

  /** Refuses everything that still waits and all that may come: after stop, undo discards the rest, and at the end of a run. */
  refuseWaiting(reason: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new PreloraError('busy', reason));
  }

  close(): void {
    this.#closed = true;
    this.refuseWaiting('the run has ended');
  }
}
