/** What the desktop shell keeps of its user's wishes: read once, changed one by one, kept by the shell. Not there in browser mode. */
import type { NotifiedEvent, ShellPreferences } from '../../main/protocol/shellPreferences.ts';
import { type Api, errorText } from '../api.ts';
import type { Notices } from './notices.svelte.ts';

export class ShellSettings {
  #preferences = $state.raw<ShellPreferences | null>(null);
  #canNotify = $state(true);
  #problem = $state('');
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  async load(): Promise<void> {
    try {
      const { preferences, canNotify } = await this.#api.request('shell:preferences', {});
      this.#preferences = preferences;
      this.#canNotify = canNotify;
      this.#problem = '';
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Null until they are read. */
  get preferences(): ShellPreferences | null {
    return this.#preferences;
  }
  get canNotify(): boolean {
    return this.#canNotify;
  }
  get problem(): string {
    return this.#problem;
  }

  async setNotify(event: NotifiedEvent, isOn: boolean): Promise<void> {
    if (this.#preferences) await this.#set({ ...this.#preferences, notify: { ...this.#preferences.notify, [event]: isOn } });
  }

  async setQuit(quitWithRun: ShellPreferences['quitWithRun']): Promise<void> {
    if (this.#preferences) await this.#set({ ...this.#preferences, quitWithRun });
  }

  /** Shown at once; what the shell refuses is taken back. */
  async #set(preferences: ShellPreferences): Promise<void> {
    const before = this.#preferences;
    this.#preferences = preferences;
    if (!(await this.#notices.attempt(() => this.#api.request('shell:setPreferences', { preferences })))) this.#preferences = before;
  }
}
