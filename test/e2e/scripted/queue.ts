/** The queue of the scripted engine: it holds entries and order as the real one does, but nothing is ever trained. */
import { parseConfig } from '../../../main/core/resolveConfig.ts';
import { planStudy } from '../../../main/core/study.ts';
import type { QueueState } from '../../../main/protocol/queue.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { engineRequests, HandlersOf } from '../../../main/protocol/requests.ts';

type Entry = QueueState['entries'][number];
type Names = `queue:${string}` | 'study:plan';

const SECONDS = 6600;

export class ScriptedQueue {
  #entries: Entry[];
  #paused = false;
  #startAt: string | null = null;
  #created = 0;
  #removed: Entry[] = [];
  readonly #changed: () => void;

  constructor(names: readonly string[], changed: () => void) {
    this.#changed = changed;
    this.#entries = names.map((name) => this.#entry(name));
    const failed = this.#entries.at(-1);
    if (failed) Object.assign(failed, { status: 'failed', message: 'data.source /data/flowers-4: no such folder' });
  }

  readonly handlers = {
    'queue:state': async () => {
      const waits = this.#entries.some(({ status }) => status === 'waiting');
      const waitsFor = this.#paused
        ? 'the queue is paused'
        : this.#startAt !== null
          ? `starts at ${this.#startAt}`
          : 'run flowers-b is running';
      return { paused: this.#paused, startAt: this.#startAt, entries: this.#entries, waitsFor: waits ? waitsFor : null };
    },
    'queue:add': async ({ orders }) => {
      const added = orders.map(({ config, fallback, study }) => {
        const { name, prelora } = parseConfig(config);
        if (prelora.switching === 'manual' && !fallback)
          throw new PreloraError('bad-arguments', 'prelora.switching manual: needs a fallback', 'fallback');
        return { ...this.#entry(name || 'sample'), fallback, study };
      });
      this.#entries = [...this.#entries, ...added];
      this.#changed();
      return { ids: added.map(({ id }) => id) };
    },
    'queue:remove': async ({ ids }) => {
      this.#removed = this.#entries.filter(({ id }) => ids.includes(id));
      this.#change(this.#entries.filter(({ id }) => !ids.includes(id)));
    },
    'queue:restore': async () => this.#change([...this.#entries, ...this.#removed]),
    'queue:move': async ({ id, before }) => {
      const moved = this.#entries.filter((entry) => entry.id === id);
      const others = this.#entries.filter((entry) => entry.id !== id);
      const index = before === null ? others.length : others.findIndex((entry) => entry.id === before);
      this.#change(others.toSpliced(index, 0, ...moved));
    },
    'queue:pause': async ({ paused }) => {
      this.#paused = paused;
      this.#changed();
    },
    'queue:startAt': async ({ startAt }) => {
      this.#startAt = startAt;
      this.#changed();
    },
    'queue:retry': async ({ id }) =>
      this.#change(this.#entries.map((entry) => (entry.id === id ? { ...entry, status: 'waiting', message: null } : entry))),
    'study:plan': async ({ config, ...plan }) => {
      const runs = planStudy(parseConfig(config), plan).map((run) => ({ ...run, secondsEstimate: SECONDS }));
      return { runs, secondsTotal: runs.length * SECONDS };
    },
  } satisfies Pick<HandlersOf<typeof engineRequests>, Extract<keyof typeof engineRequests, Names>>;

  #change(entries: Entry[]): void {
    this.#entries = entries;
    this.#changed();
  }

  #entry(name: string): Entry {
    return {
      id: `entry-${++this.#created}`,
      name,
      queuedAt: '2026-11-20T18:00:00.000Z',
      study: null,
      fallback: null,
      status: 'waiting',
      message: null,
      secondsEstimate: SECONDS,
      runId: null,
      switchesFirst: false,
    };
  }
}
