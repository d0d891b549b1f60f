/** One thing that a button asks for: that it goes on, what came of it, or why nothing did. The outcome stays until the next time. */
import { errorText } from '../api.ts';

export class Attempt<T> {
  #value = $state.raw<T | null>(null);
  #busy = $state(false);
  #problem = $state('');

  /** Null until there is one, and while it goes on. */
  get value(): T | null {
    return this.#value;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** Why there is no outcome; empty when there is one. */
  get problem(): string {
    return this.#problem;
  }

  /** Does nothing while it goes on; never rejects. */
  async run(work: () => Promise<T>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = '';
    this.#value = null;
    try {
      this.#value = await work();
    } catch (error) {
      this.#problem = errorText(error);
    }
    this.#busy = false;
  }
}
