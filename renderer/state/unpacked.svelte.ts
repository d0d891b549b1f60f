/** What compressed shards left unpacked: read when it is looked at and whenever runs change, because one may be reading it. */
import type { UnpackedSource } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';
import { formatBytes } from '../format.ts';
import { Answer } from './answer.svelte.ts';
import type { Notices } from './notices.svelte.ts';

export class Unpacked {
  #busy = $state(false);
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #answer: Answer<readonly UnpackedSource[]>;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
    this.#answer = new Answer(() => api.request('storage:unpacked', {}));
  }

  /** Gives back an unsubscribe. */
  start(): () => void {
    return this.#answer.follow(this.#api, ['runs:changed']);
  }

  load(): Promise<void> {
    return this.#answer.load();
  }

  /** Null until they have been read. */
  get sources(): readonly UnpackedSource[] | null {
    return this.#answer.value;
  }
  get problem(): string {
    return this.#answer.problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  readonly bytes = $derived((this.sources ?? []).reduce((sum, { bytes }) => sum + bytes, 0));

  async remove({ source }: UnpackedSource): Promise<void> {
    this.#busy = true;
    await this.#notices.attempt(async () => {
      const { bytes } = await this.#api.request('storage:removeUnpacked', { sources: [source] });
      this.#notices.confirm(`Removed ${formatBytes(bytes)} of unpacked images. They are unpacked again when a run needs them.`);
    });
    this.#busy = false;
    await this.load();
  }
}
