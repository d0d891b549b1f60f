/** The table of runs: read once, kept fresh by `runs:changed`, filtered and sorted here. */

import type { RunSummary } from '../../main/protocol/results.ts';
import type { RunStatus } from '../../main/protocol/run.ts';
import { type Api, errorText } from '../api.ts';
import type { Notices } from './notices.svelte.ts';

export type SortKey = 'name' | 'status' | 'progress' | 'best' | 'imagesPerSecond' | 'memory' | 'switch' | 'size' | 'start';

export class Runs {
  #rows = $state.raw<readonly RunSummary[]>([]);
  #state = $state<'busy' | 'full' | 'broken'>('busy');
  #problem = $state('');
  filter = $state('');
  status = $state<RunStatus | 'all'>('all');
  tag = $state('all');
  study = $state('all');
  showArchived = $state(false);
  sort = $state.raw<{ key: SortKey; descending: boolean }>({ key: 'start', descending: true });
  #selected = $state.raw<ReadonlySet<string>>(new Set());
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(api: Api, notices: Notices) {
    this.#api = api;
    this.#notices = notices;
  }

  /** Loads, and loads again whenever the engine says that runs changed. Gives back an unsubscribe. */
  start(): () => void {
    void this.load();
    return this.#api.on('runs:changed', () => void this.load());
  }

  async load(): Promise<void> {
    try {
      this.#rows = await this.#api.request('runs:list', {});
      this.#state = 'full';
    } catch (error) {
      this.#problem = errorText(error);
      this.#state = 'broken';
    }
  }

  get state(): 'busy' | 'full' | 'broken' {
    return this.#state;
  }

  get problem(): string {
    return this.#problem;
  }

  get all(): readonly RunSummary[] {
    return this.#rows;
  }

  get selected(): ReadonlySet<string> {
    return this.#selected;
  }

  readonly tags = $derived([...new Set(this.#rows.flatMap((row) => row.tags))].sort());
  readonly studies = $derived([...new Set(this.#rows.flatMap(({ study }) => (study ? [study.study] : [])))].sort());
  readonly active = $derived(this.#rows.filter((row) => ['running', 'paused', 'diverged'].includes(row.status.status)));

  /** Sorted, with what the filter looks at: made once per list and order, because at every key 10,000 rows are searched. */
  readonly #sorted = $derived.by(() => {
    const { key, descending } = this.sort;
    const direction = descending ? -1 : 1;
    return [...this.#rows]
      .sort((a, b) => direction * compareValues(sortValue(a, key), sortValue(b, key)))
      .map((row) => ({ row, text: `${row.status.name} ${row.runId} ${row.tags.join(' ')} ${row.note}`.toLowerCase() }));
  });

  readonly shown = $derived.by(() => {
    const words = this.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.#sorted.filter(
      ({ row, text }) =>
        (this.status === 'all' || row.status.status === this.status) &&
        (this.tag === 'all' || row.tags.includes(this.tag)) &&
        (this.study === 'all' || row.study?.study === this.study) &&
        (this.showArchived || !row.archived) &&
        words.every((word) => text.includes(word)),
    );
    return found.map(({ row }) => row);
  });

  find(runId: string): RunSummary | undefined {
    return this.#rows.find((row) => row.runId === runId);
  }

  sortBy(key: SortKey): void {
    this.sort = { key, descending: this.sort.key === key ? !this.sort.descending : key !== 'name' };
  }

  toggle(runId: string): void {
    const next = new Set(this.#selected);
    if (!next.delete(runId)) next.add(runId);
    this.#selected = next;
  }

  clearSelection(): void {
    this.#selected = new Set();
  }

  async rename(runId: string, name: string): Promise<void> {
    const before = this.find(runId)?.status.name ?? '';
    const done = await this.#notices.attempt(() => this.#api.request('runs:rename', { runId, name }));
    if (!done) return;
    this.#notices.confirm(`Renamed ${before} to ${name}.`, () => this.rename(runId, before));
    await this.load();
  }

  async annotate(runId: string, change: { tags?: string[]; note?: string; archived?: boolean }): Promise<void> {
    const done = await this.#notices.attempt(() => this.#api.request('runs:annotate', { runId, ...change }));
    if (done && change.archived === true) this.#notices.confirm('Archived.', () => this.annotate(runId, { archived: false }));
    await this.load();
  }

  /** Where the data of a run lies that came in a bundle; how it differs from what the run had is told. */
  async nameData(runId: string, source: string): Promise<void> {
    await this.#notices.attempt(async () => {
      const { notes } = await this.#api.request('run:nameData', { runId, source });
      const same = `The data of ${this.find(runId)?.status.name ?? runId} is named: the run can be evaluated and resumed.`;
      this.#notices.confirm(notes.length > 0 ? `The data is named, but ${notes.join('; ')}.` : same);
    });
    await this.load();
  }

  /** To the trash, with a way back. */
  async trash(runId: string): Promise<void> {
    const name = this.find(runId)?.status.name ?? runId;
    const done = await this.#notices.attempt(() => this.#api.request('runs:trash', { runId }));
    if (!done) return;
    this.#notices.confirm(`Moved ${name} to the trash, where it stays for 30 days.`, () => this.restore(runId));
    await this.load();
  }

  async restore(runId: string): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('runs:restore', { runId }));
    await this.load();
  }
}

function sortValue(row: RunSummary, key: SortKey): number | string | null {
  switch (key) {
    case 'name':
      return row.status.name.toLowerCase();
    case 'status':
      return row.status.status;
    case 'progress':
      return row.status.step / Math.max(1, row.status.totalSteps);
    case 'best':
      return row.status.best?.valTop1 ?? null;
    case 'imagesPerSecond':
      return row.imagesPerSecond;
    case 'memory':
      return row.peakMemoryBytes;
    case 'switch':
      return row.status.switchStep;
    case 'size':
      return row.sizeBytes;
    case 'start':
      return row.startedAt;
  }
}

/** Missing values come last when ascending. */
function compareValues(a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
  return a < b ? -1 : a > b ? 1 : 0;
}
