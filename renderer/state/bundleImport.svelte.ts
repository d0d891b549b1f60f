/** A run that comes in as a bundle: chosen by dialog where there are dialogs, named by path elsewhere, or dropped on the window. */
import { BUNDLE_ENDING } from '../../main/protocol/bundle.ts';
import type { Api } from '../api.ts';
import { formatRoute } from './navigation.svelte.ts';
import type { Notices } from './notices.svelte.ts';

export class BundleImport {
  /** A path is being asked for. */
  asking = $state(false);
  #busy = $state(false);
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Asks for the file: by a dialog of the desktop, or for its path on the machine that computes. */
  async choose(host: 'desktop' | 'browser' | undefined): Promise<void> {
    if (host !== 'desktop') {
      this.asking = true;
      return;
    }
    await this.#notices.attempt(async () => {
      const { path } = await this.#api.request('shell:chooseFile', { title: 'Run bundle', endings: ['zip'] });
      if (path !== null) await this.take(path);
    });
  }

  /** Imports it, and says what came. */
  async take(file: string): Promise<void> {
    this.#busy = true;
    await this.#notices.attempt(async () => {
      const { runId, name, notes } = await this.#api.request('bundle:import', { file });
      const text = [`Imported ${name || runId}`, ...notes]
        .map((sentence) => `${sentence[0]?.toUpperCase()}${sentence.slice(1)}.`)
        .join(' ');
      this.#notices.confirm(text, null, { text: 'Open the run', href: formatRoute({ screen: 'run', runId, tab: 'live' }) });
    });
    this.#busy = false;
  }
}

export function isBundleFile(path: string): boolean {
  return path.toLowerCase().endsWith(BUNDLE_ENDING);
}
