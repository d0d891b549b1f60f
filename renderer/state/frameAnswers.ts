/**
 * Confirms frames to the engine: at once while the page is seen, once a second while it is hidden, which slows its frames down to that. The
 * engine sends no more than two unanswered ones; a hidden page always leaves its newest without an answer, or it would get two a second.
 * What is left out comes in one larger frame.
 */
const HIDDEN_MS = 1000;

export class FrameAnswers {
  #due: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #send: (sequence: number) => void;
  readonly #isHidden: () => boolean;

  constructor(send: (sequence: number) => void, isHidden = () => typeof document !== 'undefined' && document.hidden) {
    this.#send = send;
    this.#isHidden = isHidden;
  }

  took(sequence: number): void {
    this.#due = sequence;
    if (!this.#isHidden()) this.flush();
    else this.#timer ??= setTimeout(() => this.#flushHidden(), HIDDEN_MS);
  }

  #flushHidden(): void {
    this.#timer = null;
    if (!this.#isHidden()) this.flush();
    else if (this.#due !== null) this.#send(this.#due - 1);
  }

  /** Answers what is due now: time is up, or the page is seen again. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#due !== null) this.#send(this.#due);
    this.#due = null;
  }
}
