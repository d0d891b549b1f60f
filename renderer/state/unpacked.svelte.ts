/** What compressed shards left unpacked: read when it is looked at and whenever runs change, because one may be reading it. */
import type { UnpackedSource } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import { formatBytes } from '../format.ts';
import type { Notices } from './notices.svelte.ts';

export class Unpacked {
  #sources = $state.raw<readonly UnpackedSource[] | null>(null);
  #problem = $state('');
  #busy = $state(false);
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  /** Gives back an unsubscribe. */
  start(): () => void {
    void this.load();
    return this.#api.on('runs:changed', () => void this.load());
  }

  async load(): Promise<void> {
    try {
      this.#sources = await this.#api.request('storage:unpacked', {});
      this.#problem = '';
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Null until they have been read. */
  get sources(): readonly UnpackedSource[] | null {
    return this.#sources;
  }
  get problem(): string {
    return this.#problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  readonly bytes = $derived((this.#sources ?? []).reduce((sum, { bytes }) => sum + bytes, 0));

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
