/** What the desktop shell keeps of its user's wishes: read once, changed one by one, kept by the shell. Not there in browser mode. */
import type { ResultOf } from '../../main/protocol/requests.ts';
import type { NotifiedEvent, ShellPreferences } from '../../main/protocol/shellPreferences.ts';
import type { Api } from '../api.ts';
import { Answer } from './answer.svelte.ts';
import type { Notices } from './notices.svelte.ts';

export class ShellSettings {
  readonly #api: Api;
  readonly #notices: Notices;
  readonly #answer: Answer<ResultOf<'shell:preferences'>>;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
    this.#answer = new Answer(() => api.request('shell:preferences', {}));
  }

  load(): Promise<void> {
    return this.#answer.load();
  }

  /** Null until they are read. */
  get preferences(): ShellPreferences | null {
    return this.#answer.value?.preferences ?? null;
  }
  get canNotify(): boolean {
    return this.#answer.value?.canNotify ?? true;
  }
  get problem(): string {
    return this.#answer.problem;
  }

  async setNotify(event: NotifiedEvent, isOn: boolean): Promise<void> {
    const { preferences } = this;
    if (preferences) await this.#set({ ...preferences, notify: { ...preferences.notify, [event]: isOn } });
  }

  async setQuit(quitWithRun: ShellPreferences['quitWithRun']): Promise<void> {
    if (this.preferences) await this.#set({ ...this.preferences, quitWithRun });
  }

  /** Shown at once; what the shell refuses is taken back. */
  async #set(preferences: ShellPreferences): Promise<void> {
    const before = this.#answer.value;
    this.#answer.show(before && { ...before, preferences });
    if (!(await this.#notices.attempt(() => this.#api.request('shell:setPreferences', { preferences })))) this.#answer.show(before);
  }
}
