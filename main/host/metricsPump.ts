/**
 * Frames of one run for one page: at most one every 80 ms, numbered, and never more than two without an answer. A page that lags gets
 * fewer, larger frames: nothing is queued here, the next frame is read from the run's files when it may go out. So a page that stands
 * still costs neither memory nor training time (reliability.md R16). A hidden page answers once a second and so slows its frames down.
 */
import type { RunFrame } from '../protocol/events.ts';
import type { NewRecords } from './runTail.ts';

/** Time between two frames. */
const FRAME_MS = 80;
/** Frames on their way at once: one, and one behind it so that an answer that got lost stops nothing. */
const UNANSWERED = 2;

/** Where frames come from. */
export interface FrameSource {
  look(): Promise<NewRecords>;
  /** What is the same for all pages at this moment. */
  present(): Pick<RunFrame, 'runId' | 'live' | 'status' | 'activity' | 'etaSeconds'>;
}

/** Time, handed in so that tests need not wait. */
export interface PumpClock {
  now(): number;
  later(action: () => void, ms: number): () => void;
}

const realClock: PumpClock = {
  now: () => performance.now(),
  later(action, ms) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};

export class MetricsPump {
  #sequence: number;
  #answered: number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #isDue = false;
  #isSending = false;
  #isClosed = false;
  #cancel: (() => void) | null = null;

  readonly #clock: PumpClock;

  /** Frames are numbered from `after` on. */
  constructor(
    readonly source: FrameSource,
    readonly send: (frame: RunFrame) => void,
    { clock = realClock, after = 0 }: { clock?: PumpClock; after?: number } = {},
  ) {
    this.#clock = clock;
    this.#sequence = after;
    this.#answered = after;
  }

  /** Number of the last frame sent. */
  get sequence(): number {
    return this.#sequence;
  }

  /** There is something new: a frame goes out as soon as it may. */
  wake(): void {
    if (this.#isClosed) return;
    this.#isDue = true;
    if (this.#cancel || this.#isSending || this.#sequence - this.#answered >= UNANSWERED) return;
    const wait = Math.max(0, this.#lastAt + FRAME_MS - this.#clock.now());
    this.#cancel = this.#clock.later(() => void this.#sendFrame(), wait);
  }

  /** The page took all frames up to `sequence`. Numbers from the future or the past are ignored. */
  acknowledge(sequence: number): void {
    if (sequence <= this.#answered || sequence > this.#sequence) return;
    this.#answered = sequence;
    if (this.#isDue) this.wake();
  }

  /** What the page holds is no longer the run (an undo): a gap in the numbers makes it ask for everything again. */
  skipNumber(): void {
    this.#sequence++;
    this.#answered++;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  async #sendFrame(): Promise<void> {
    this.#cancel = null;
    this.#isDue = false;
    this.#isSending = true;
    try {
      const { more, problems: _passedOver, ...records } = await this.source.look();
      if (this.#isClosed) return;
      this.#lastAt = this.#clock.now();
      this.send({ ...records, ...this.source.present(), sequence: ++this.#sequence });
      if (more) this.#isDue = true;
    } finally {
      this.#isSending = false;
    }
    if (this.#isDue) this.wake();
  }
}
