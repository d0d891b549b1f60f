/** The queue of runs as the engine tells it: read once, read again at every `queue:changed`. */
import type { QueueState } from '../../main/protocol/queue.ts';
import type { ArgOf } from '../../main/protocol/requests.ts';
import type { Api } from '../api.ts';
import { Answer } from './answer.svelte.ts';
import type { Notices } from './notices.svelte.ts';

export type QueueEntry = QueueState['entries'][number];
export type QueueOrder = ArgOf<'queue:add'>['orders'][number];

export class Queue {
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #answer: Answer<QueueState>;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
    this.#answer = new Answer(() => api.request('queue:state', {}));
  }

  /** Loads and follows. Gives back an unsubscribe. */
  start(): () => void {
    return this.#answer.follow(this.#api, ['queue:changed', 'runs:changed']);
  }

  load(): Promise<void> {
    return this.#answer.load();
  }

  /** Null until it was read. */
  get all(): QueueState | null {
    return this.#answer.value;
  }
  get problem(): string {
    return this.#answer.problem;
  }

  readonly entries = $derived(this.all?.entries ?? []);
  readonly waiting = $derived(this.entries.filter(({ status }) => status === 'waiting'));
  /** Predicted seconds of all that waits; null when one of them is unknown. */
  readonly secondsWaiting = $derived.by(() => {
    const known = this.waiting.map(({ secondsEstimate }) => secondsEstimate);
    return known.includes(null) ? null : known.reduce<number>((sum, seconds) => sum + (seconds ?? 0), 0);
  });

  /** True when all of them are queued. */
  async add(orders: QueueOrder[]): Promise<boolean> {
    const done = await this.#notices.attempt(() => this.#api.request('queue:add', { orders }));
    if (done) this.#notices.confirm(orders.length === 1 ? 'Queued.' : `Queued ${orders.length} runs.`);
    return done;
  }

  async remove(entries: readonly QueueEntry[]): Promise<void> {
    const ids = entries.map(({ id }) => id);
    if (!(await this.#notices.attempt(() => this.#api.request('queue:remove', { ids })))) return;
    const what = entries.length === 1 ? entries[0]?.name : `${entries.length} runs`;
    this.#notices.confirm(`Took ${what} out of the queue.`, async () => {
      await this.#notices.attempt(() => this.#api.request('queue:restore', { ids }));
    });
  }

  /** One place up or down among the entries. */
  async shift({ id }: QueueEntry, by: -1 | 1): Promise<void> {
    const index = this.entries.findIndex((entry) => entry.id === id);
    const before = this.entries[by < 0 ? index - 1 : index + 2]?.id ?? null;
    if (index + by < 0 || index + by >= this.entries.length) return;
    await this.#notices.attempt(() => this.#api.request('queue:move', { id, before }));
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('queue:pause', { paused }));
  }

  /** `local` is what a date-and-time field gives; empty starts as soon as the device is free. */
  async setStartAt(local: string): Promise<void> {
    const startAt = local === '' ? null : new Date(local).toISOString();
    await this.#notices.attempt(() => this.#api.request('queue:startAt', { startAt }));
  }

  async retry({ id }: QueueEntry): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('queue:retry', { id }));
  }
}
