/** The queue of runs as the engine tells it: read once, read again at every `queue:changed`. */
import type { QueueState } from '../../main/protocol/queue.ts';
import type { ArgOf } from '../../main/protocol/requests.ts';
import { type Api, errorText } from '../api.ts';
import type { Notices } from './notices.svelte.ts';

export type QueueEntry = QueueState['entries'][number];
export type QueueOrder = ArgOf<'queue:add'>['orders'][number];

export class Queue {
  #queue = $state.raw<QueueState | null>(null);
  #problem = $state('');
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  /** Loads and follows. Gives back an unsubscribe. */
  start(): () => void {
    void this.load();
    const ends = [this.#api.on('queue:changed', () => void this.load()), this.#api.on('runs:changed', () => void this.load())];
    return () => {
      for (const end of ends) end();
    };
  }

  async load(): Promise<void> {
    try {
      this.#queue = await this.#api.request('queue:state', {});
      this.#problem = '';
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Null until it was read. */
  get all(): QueueState | null {
    return this.#queue;
  }
  get problem(): string {
    return this.#problem;
  }

  readonly entries = $derived(this.#queue?.entries ?? []);
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
