/** Handing a run's model on: one export after the other, what the checks said, and the exports that lie in the run's folder. */
import type { ExportReport, ExportSettings, StoredExport } from '../../main/protocol/exports.ts';
import type { ArgOf } from '../../main/protocol/requests.ts';
import { type Api, errorText } from '../api.ts';
import { Answer } from './answer.svelte.ts';

export class Exporting {
  #report = $state.raw<ExportReport | null>(null);
  #busy = $state(false);
  #problem = $state('');
  #steps = $state.raw<readonly string[]>([]);
  readonly stored: Answer<StoredExport[]>;
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
    this.stored = new Answer(() => api.request('run:exports', { runId }));
  }

  /** Of the newest export of this visit. */
  get report(): ExportReport | null {
    return this.#report;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** What has been begun so far, oldest first; the last is going on. Empty when nothing is. */
  get steps(): readonly string[] {
    return this.#steps;
  }
  /** Why nothing was written; empty when something was. */
  get problem(): string {
    return this.#problem;
  }

  /** Into `folder`, or the run's own where that is empty. */
  async export(settings: Partial<ExportSettings> & Pick<ExportSettings, 'format'>, folder: string): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = '';
    this.#report = null;
    const end = this.#api.on('task:progress', ({ task, message }) => {
      if (task === 'export') this.#steps = [...this.#steps, message];
    });
    try {
      const arg: ArgOf<'run:export'> = { runId: this.runId, settings, folder: folder.trim() === '' ? null : folder.trim() };
      this.#report = await this.#api.request('run:export', arg);
    } catch (error) {
      this.#problem = errorText(error);
    } finally {
      end();
      this.#steps = [];
      this.#busy = false;
    }
    await this.stored.load();
  }
}
