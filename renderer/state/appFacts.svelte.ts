/** Facts about machine and program (`app:describe`), progress of long tasks, and the connection. */
import type { EngineVariant } from '../../main/protocol/engine.ts';
import type { ProgressEvent } from '../../main/protocol/events.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import type { AppDescription } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import { formatBytes } from '../format.ts';
import { installWords, repairWords } from '../installWords.ts';
import type { Connection } from '../transport/transport.ts';
import type { Notices } from './notices.svelte.ts';

export class AppFacts {
  #facts = $state.raw<AppDescription | null>(null);
  #problem = $state('');
  #connection = $state<Connection>('connecting');
  #progress = $state.raw<Partial<Record<ProgressEvent['task'], ProgressEvent & { startedAt: number }>>>({});
  #installing = $state(false);
  #removing = $state(false);
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  /** Loads and follows. Gives back an unsubscribe. */
  start(): () => void {
    void this.load();
    const ends = [
      this.#api.onConnection((state) => {
        if (state === 'open' && this.#connection === 'lost') void this.load();
        this.#connection = state;
      }),
      this.#api.on('task:progress', (event) => {
        const startedAt = this.#progress[event.task]?.startedAt ?? Date.now();
        this.#progress = { ...this.#progress, [event.task]: { ...event, startedAt } };
        // Begun by another page, or by the program at its start: joined, so that its end is known.
        if (event.task === 'engine:install' && !this.#installing) void this.load();
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  async load(): Promise<void> {
    try {
      this.#facts = await this.#api.request('app:describe', {});
      this.#problem = '';
      // Begun before this page was loaded, or by another one.
      if (this.#facts.installing && !this.#installing) void this.installEngine(this.#facts.installing);
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  get facts(): AppDescription | null {
    return this.#facts;
  }
  get problem(): string {
    return this.#problem;
  }
  get connection(): Connection {
    return this.#connection;
  }
  get installing(): boolean {
    return this.#installing;
  }
  get removing(): boolean {
    return this.#removing;
  }

  progressOf(task: ProgressEvent['task']): (ProgressEvent & { startedAt: number }) | null {
    return this.#progress[task] ?? null;
  }

  clearProgress(task: ProgressEvent['task']): void {
    const { [task]: _done, ...rest } = this.#progress;
    this.#progress = rest;
  }

  async installEngine(variant: EngineVariant): Promise<void> {
    await this.#install(async () => installWords(await this.#api.request('engine:install', { variant }), variant));
  }

  /** Installs anew what is damaged; shows as an installation. */
  async repairEngine(variant: EngineVariant): Promise<void> {
    await this.#install(async () => repairWords(await this.#api.request('engine:repair', { variant }), variant));
  }

  async removeEngine(variant: EngineVariant): Promise<void> {
    this.#removing = true;
    await this.#notices.attempt(async () => {
      const { bytes } = await this.#api.request('engine:remove', { variant });
      this.#notices.confirm(`Removed the engine, ${formatBytes(bytes)}.`);
    });
    this.#removing = false;
    await this.load();
  }

  async #install(action: () => Promise<string>): Promise<void> {
    this.#installing = true;
    await this.#notices.attempt(async () => {
      try {
        this.#notices.confirm(await action());
      } catch (error) {
        if (!(error instanceof PreloraError) || error.code !== 'interrupted') throw error;
        this.#notices.confirm('The installation is cancelled. What was fetched is kept: the next one goes on from there.');
      }
    });
    this.#installing = false;
    this.clearProgress('engine:install');
    await this.load();
  }

  async cancelInstall(): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('engine:cancelInstall', {}));
  }
}
