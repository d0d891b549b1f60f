/** What the engine or shell answered to one question, as a screen shows it: the newest answer stays in sight beside a problem. */
import type { PushEvents } from '../../main/protocol/events.ts';
import { type Api, errorText } from '../api.ts';

export class Answer<T> {
  #value = $state.raw<T | null>(null);
  #problem = $state('');
  readonly #ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /** Null until there is one. */
  get value(): T | null {
    return this.#value;
  }

  /** Why the newest question has no answer; empty when it has. */
  get problem(): string {
    return this.#problem;
  }

  /** Shows a value before it is asked for again. */
  show(value: T | null): void {
    this.#value = value;
  }

  async load(): Promise<void> {
    try {
      this.#value = await this.#ask();
      this.#problem = '';
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Asks now, and again at each of the events. Gives back an unsubscribe. */
  follow(api: Api, events: readonly (keyof PushEvents)[]): () => void {
    void this.load();
    const ends = events.map((event) => api.on(event, () => void this.load()));
    return () => {
      for (const end of ends) end();
    };
  }
}
