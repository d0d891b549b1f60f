/** Handing a run's model on: one export after the other, the steps it takes, and the exports that lie in the run's folder. */
import type { ExportReport, ExportSettings, StoredExport } from '../../main/protocol/exports.ts';
import type { Api } from '../api.ts';
import { Answer } from './answer.svelte.ts';
import { Attempt } from './attempt.svelte.ts';

export class Exporting {
  #steps = $state.raw<readonly string[]>([]);
  /** The newest export of this visit. */
  readonly attempt = new Attempt<ExportReport>();
  readonly stored: Answer<StoredExport[]>;
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
    this.stored = new Answer(() => api.request('run:exports', { runId }));
  }

  /** What has been begun so far, oldest first; the last is going on. Empty when nothing is. */
  get steps(): readonly string[] {
    return this.#steps;
  }

  /** Into `folder`, or the run's own where that is empty. */
  async export(settings: Partial<ExportSettings> & Pick<ExportSettings, 'format'>, folder: string): Promise<void> {
    if (this.attempt.busy) return;
    const end = this.#api.on('task:progress', ({ task, message }) => {
      if (task === 'export') this.#steps = [...this.#steps, message];
    });
    await this.attempt.run(() => this.#api.request('run:export', { runId: this.runId, settings, folder: folder.trim() || null }));
    end();
    this.#steps = [];
    await this.stored.load();
  }
}
