/** The runs in the trash: read when they are looked at, kept fresh by `runs:changed`; one comes back, some go for good. */
import type { TrashedRun } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';
import { formatBytes, formatCounted } from '../format.ts';
import { Answer } from './answer.svelte.ts';
import type { Notices } from './notices.svelte.ts';

export class Trash {
  #busy = $state(false);
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #answer: Answer<readonly TrashedRun[]>;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
    this.#answer = new Answer(() => api.request('trash:list', {}));
  }

  /** Loads, and loads again whenever the engine says that runs changed. Gives back an unsubscribe. */
  start(): () => void {
    return this.#answer.follow(this.#api, ['runs:changed']);
  }

  load(): Promise<void> {
    return this.#answer.load();
  }

  /** Null until they have been read. */
  get runs(): readonly TrashedRun[] | null {
    return this.#answer.value;
  }
  get problem(): string {
    return this.#answer.problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  readonly bytes = $derived((this.runs ?? []).reduce((sum, { bytes }) => sum + bytes, 0));
  /** Those that nobody writes. */
  readonly removable = $derived((this.runs ?? []).filter(({ blocked }) => blocked === null));

  async restore({ folder, name }: TrashedRun): Promise<void> {
    await this.#do(() => this.#api.request('trash:restore', { folder }), `Restored ${name}.`);
  }

  /** For good: asked for by name before. */
  async remove(runs: readonly TrashedRun[]): Promise<void> {
    const [first] = runs;
    if (!first) return;
    const bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
    const what = runs.length === 1 ? first.name : formatCounted(runs.length, 'run');
    await this.#do(
      () => this.#api.request('trash:delete', { folders: runs.map(({ folder }) => folder) }),
      `Deleted ${what} for good, ${formatBytes(bytes)}.`,
    );
  }

  async #do(action: () => Promise<unknown>, done: string): Promise<void> {
    this.#busy = true;
    if (await this.#notices.attempt(action)) this.#notices.confirm(done);
    this.#busy = false;
    await this.load();
  }
}
