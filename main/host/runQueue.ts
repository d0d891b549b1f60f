/**
 * Works off the queue of runs, one after another, each in a trainer of its own: a failure does not keep the next from its turn, and what is
 * queued outlives the program (product.md section 3, "Queue"). Entries are changed in memory and written at once; a running entry is written
 * with its run, so that the next start of the program goes on with it.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { parseConfig } from '../core/resolveConfig.ts';
import type { RunConfig } from '../protocol/config.ts';
import type { PushEvents } from '../protocol/events.ts';
import type { QueueEntry, QueueFallback, QueueFile, QueueState } from '../protocol/queue.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { StudyMembership } from '../protocol/study.ts';
import { acquireLock, type RunLock } from '../store/lock.ts';
import { EMPTY_QUEUE, readQueue, setAsideQueue, writeQueue } from '../store/queueFile.ts';
import { readStatus } from '../store/runFolder.ts';
import { defaultRunName } from '../store/runName.ts';
import type { RunCommand } from '../train/commands.ts';
import type { Attendance, HostListener } from './engineHost.ts';
import { estimate } from './estimate.ts';
import type { LiveRun } from './liveRun.ts';
import { ManualFallback } from './manualFallback.ts';
import type { RunCatalog } from './runCatalog.ts';

/** What the queue looks at in a live run. */
export type QueuedRun = Pick<LiveRun, 'dir' | 'status' | 'ended' | 'over' | 'command'>;

/** What the queue needs of the engine host. */
export interface QueueHost {
  readonly catalog: Pick<RunCatalog, 'find' | 'annotate'>;
  readonly dataRoot: string;
  /** Why the device is not free; null when it is. */
  readonly occupiedBy: string | null;
  readonly options: { log: (message: string) => void };
  listen(listener: HostListener): () => void;
  broadcast<K extends keyof PushEvents>(event: K, payload: PushEvents[K]): void;
  liveRun(runId: string): QueuedRun | null;
  start(config: RunConfig, attendance: Attendance): Promise<string>;
  resume(runId: string, first: RunCommand[], attendance: Attendance): Promise<void>;
}

/** What to queue: a config, or a stopped run to go on with. */
export type QueueOrder = {
  fallback?: QueueFallback | null | undefined;
  study?: StudyMembership | null | undefined;
} & ({ config: unknown } | { runId: string; name: string; switchesFirst: boolean });

const UNATTENDED: Attendance = { isAttended: false };
const REMEMBERED = 1000;
/** Longer waits are cut into pieces: timers hold 31 bits. */
const LONGEST_TIMER_MS = 24 * 3600 * 1000;

export class RunQueue {
  #queue: QueueFile = EMPTY_QUEUE;
  #lock: RunLock | null = null;
  /** The newest first, for a way back. */
  #removed: QueueEntry[] = [];
  /** Who works the queue off, when it is not this process. */
  #heldBy: string | null = 'the queue is not open';
  #unlisten: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWorking = false;
  readonly #fallback: ManualFallback;
  readonly #report = (error: unknown): void => this.host.options.log(`queue: ${error instanceof Error ? error.message : error}`);

  constructor(
    readonly host: QueueHost,
    readonly folder: string,
  ) {
    this.#fallback = new ManualFallback((message) => host.options.log(message));
  }

  /** Reads the queue, takes it over, and goes on where it stood. */
  async open(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    try {
      this.#lock = acquireLock(this.folder);
    } catch (error) {
      if (!(error instanceof PreloraError)) throw error;
      this.#heldBy = 'another window or server of this program works the queue off';
      return;
    }
    this.#heldBy = null;
    try {
      this.#queue = interruptedFirst(await readQueue(this.folder));
    } catch (error) {
      const aside = await setAsideQueue(this.folder, new Date());
      this.host.options.log(`${error instanceof Error ? error.message : error}; set aside as ${aside}, the queue begins empty`);
    }
    this.#unlisten = this.host.listen({
      push: (event, payload) => {
        if (event === 'switch:proposed') this.#onProposal((payload as PushEvents['switch:proposed']).runId);
      },
      runChanged() {},
      deviceFreed: () => this.#next(),
    });
    this.#next();
  }

  /** Starts nothing more. A running entry keeps its place for the next start of the program. */
  async close(): Promise<void> {
    this.#unlisten();
    clearTimeout(this.#timer);
    this.#fallback.disarm();
    this.#heldBy = 'the program is ending';
    const lock = this.#lock;
    this.#lock = null;
    // Whoever takes over must read which run is going on.
    await this.#writing.catch(this.#report);
    lock?.release();
  }

  /** As it is now; another process's queue is read from its file. */
  async state(): Promise<QueueState> {
    const queue = this.#lock ? this.#queue : await readQueue(this.folder);
    const entries = queue.entries.map(({ config: _frozen, ...entry }) => entry);
    return { paused: queue.paused, startAt: queue.startAt, entries, waitsFor: this.#waitsFor(queue) };
  }

  /** Freezes each config and puts it at the end. All or none; throws `bad-config` naming the field, `bad-arguments` without a fallback. */
  async add(orders: readonly QueueOrder[]): Promise<string[]> {
    this.#requireMine();
    const entries: QueueEntry[] = [];
    for (const order of orders) entries.push(await this.#entryOf(order));
    await this.#change((queue) => ({ ...queue, entries: [...queue.entries, ...entries] }));
    this.#next();
    return entries.map(({ id }) => id);
  }

  /** Takes entries out. Throws `busy` for the one that runs. */
  async remove(ids: readonly string[]): Promise<void> {
    this.#requireMine();
    const running = this.#queue.entries.find(({ id, status }) => ids.includes(id) && status === 'running');
    if (running) throw new PreloraError('busy', `${running.name} is being trained; stop the run and it leaves the queue`, 'ids');
    this.#removed = this.#queue.entries
      .filter(({ id }) => ids.includes(id))
      .concat(this.#removed)
      .slice(0, REMEMBERED);
    await this.#change((queue) => ({ ...queue, entries: queue.entries.filter(({ id }) => !ids.includes(id)) }));
  }

  /** Puts entries that were removed back, at the end. */
  async restore(ids: readonly string[]): Promise<void> {
    this.#requireMine();
    const back = this.#removed.filter(({ id }) => ids.includes(id));
    if (back.length === 0) throw new PreloraError('not-found', `queue: ${ids.join(', ')} was not removed lately`, 'ids');
    this.#removed = this.#removed.filter((entry) => !back.includes(entry));
    await this.#change((queue) => ({ ...queue, entries: [...queue.entries, ...back] }));
    this.#next();
  }

  /** Puts an entry before another one, or last. */
  async move(id: string, before: string | null): Promise<void> {
    const moved = this.#find(id);
    await this.#change((queue) => {
      const others = queue.entries.filter((entry) => entry.id !== id);
      const index = before === null ? others.length : others.findIndex((entry) => entry.id === before);
      return { ...queue, entries: others.toSpliced(index < 0 ? others.length : index, 0, moved) };
    });
  }

  /** A paused queue starts nothing; what runs goes on. */
  async setPaused(paused: boolean): Promise<void> {
    this.#requireMine();
    await this.#change((queue) => ({ ...queue, paused }));
    this.#next();
  }

  async setStartAt(startAt: string | null): Promise<void> {
    this.#requireMine();
    await this.#change((queue) => ({ ...queue, startAt }));
    this.#next();
  }

  /** Gives a failed entry another turn, at its place. */
  async retry(id: string): Promise<void> {
    const { status } = this.#find(id);
    if (status !== 'failed')
      throw new PreloraError('bad-arguments', `queue: entry ${id} is ${status}, only a failed one can be tried again`, 'id');
    await this.#update(id, { status: 'waiting', message: null });
    this.#next();
  }

  async #entryOf(order: QueueOrder): Promise<QueueEntry> {
    const { fallback = null, study = null } = order;
    const base = { id: randomUUID(), queuedAt: new Date().toISOString(), study, fallback, status: 'waiting', message: null } as const;
    if ('runId' in order) {
      const { runId, name, switchesFirst } = order;
      return { ...base, name, runId, switchesFirst, config: null, secondsEstimate: null };
    }
    const parsed = parseConfig(order.config);
    if (parsed.prelora.switching === 'manual' && fallback === null) {
      const rule = 'in a queue it needs a fallback, what to do when nobody answers for some minutes';
      throw new PreloraError('bad-arguments', `prelora.switching manual: ${rule}`, 'fallback');
    }
    const config = { ...parsed, name: parsed.name || defaultRunName(parsed, new Date()) };
    const { secondsEstimate } = await estimate(config, [], this.host.dataRoot);
    return { ...base, name: config.name, runId: null, switchesFirst: false, config, secondsEstimate };
  }

  #requireMine(): void {
    if (this.#heldBy !== null) throw new PreloraError('busy', `the queue cannot be changed here: ${this.#heldBy}`);
  }

  #find(id: string): QueueEntry {
    this.#requireMine();
    const entry = this.#queue.entries.find((one) => one.id === id);
    if (entry) return entry;
    throw new PreloraError('not-found', `queue: there is no entry ${id}; it may have finished`, 'id');
  }

  /** Changes the queue, tells the pages, and resolves once it is on disk. */
  async #change(change: (queue: QueueFile) => QueueFile): Promise<void> {
    const queue = change(this.#queue);
    this.#queue = queue;
    this.host.broadcast('queue:changed', {});
    const write = this.#writing.catch(() => {}).then(() => writeQueue(this.folder, queue));
    this.#writing = write;
    await write;
  }

  #update(id: string, changes: Partial<QueueEntry>): Promise<void> {
    return this.#change((queue) => ({
      ...queue,
      entries: queue.entries.map((entry) => (entry.id === id ? { ...entry, ...changes } : entry)),
    }));
  }

  #waitsFor({ entries, paused, startAt }: QueueFile): string | null {
    const waits = entries.some(({ status }) => status === 'waiting');
    if (!waits || this.#running) return null;
    if (this.#heldBy !== null) return this.#heldBy;
    if (paused) return 'the queue is paused';
    if (startAt !== null && Date.parse(startAt) > Date.now()) return `starts at ${startAt}`;
    return this.host.occupiedBy;
  }

  get #running(): QueueEntry | null {
    return this.#queue.entries.find(({ status }) => status === 'running') ?? null;
  }

  /** Begins the next entry when nothing stands in the way. */
  #next(): void {
    clearTimeout(this.#timer);
    if (this.#isWorking || !this.#lock || this.#queue.paused || this.host.occupiedBy !== null) return;
    const entry = this.#queue.entries.find(({ status }) => status === 'waiting');
    if (!entry) return;
    const wait = this.#queue.startAt === null ? 0 : Date.parse(this.#queue.startAt) - Date.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#next(), Math.min(wait, LONGEST_TIMER_MS));
      return;
    }
    this.#isWorking = true;
    void this.#train(entry)
      .catch(this.#report)
      .finally(() => {
        this.#isWorking = false;
        this.#next();
      });
  }

  /** One entry from start to end; settles when its run is over and the queue says so. */
  async #train(entry: QueueEntry): Promise<void> {
    await this.#update(entry.id, { status: 'running', message: null });
    let live: QueuedRun | null;
    try {
      live = await this.#begin(entry);
    } catch (error) {
      await this.#update(entry.id, { status: 'failed', message: error instanceof Error ? error.message : String(error) });
      return;
    }
    await live?.over;
    // The program is ending: the entry stays as it is, for the next start.
    if (!this.#lock) return;
    await this.#settle(entry.id, live);
  }

  /** Starts the entry's run, or goes on with the one it has. Null when that is finished already. */
  async #begin({ id, config, runId, study, switchesFirst }: QueueEntry): Promise<QueuedRun | null> {
    if (runId !== null) {
      const dir = await this.host.catalog.find(runId);
      const status = await readStatus(dir);
      if (status?.status === 'finished') return null;
      await this.host.resume(runId, switchesFirst ? [{ kind: 'switchNow' }] : [], UNATTENDED);
      await this.#update(id, { switchesFirst: false });
      const live = this.host.liveRun(runId);
      if (live) await this.#armFallback(live);
      return live;
    }
    if (config === null) throw new PreloraError('internal', 'a queue entry has neither a config nor a run');
    const started = await this.host.start(config, UNATTENDED);
    const live = this.host.liveRun(started);
    await this.#update(id, { runId: started });
    if (study) await this.host.catalog.annotate(started, { study });
    return live;
  }

  /** What became of the entry: finished or stopped by the user, it leaves the queue; anything else stays, with the reason. */
  async #settle(id: string, live: QueuedRun | null): Promise<void> {
    this.#fallback.disarm();
    const end = live === null ? 'finished' : (live.ended?.end ?? 'crashed');
    if (end === 'finished' || end === 'interrupted') {
      await this.#change((queue) => ({ ...queue, entries: queue.entries.filter((entry) => entry.id !== id) }));
      return;
    }
    const message = live?.ended?.message ?? live?.status?.message ?? `the run ended: ${end}`;
    await this.#update(id, { status: 'failed', message });
  }

  #onProposal(runId: string): void {
    const live = this.host.liveRun(runId);
    if (live && this.#running?.runId === runId) void this.#armFallback(live).catch(this.#report);
  }

  async #armFallback(live: QueuedRun): Promise<void> {
    const fallback = this.#running?.fallback;
    if (fallback) await this.#fallback.arm(live, fallback);
  }
}

/** What was being trained when the program ended waits before all others: nothing runs yet, and a paused queue starts nothing. */
function interruptedFirst(queue: QueueFile): QueueFile {
  const isInterrupted = ({ status }: QueueEntry): boolean => status === 'running';
  const interrupted = queue.entries.filter(isInterrupted).map((entry) => ({ ...entry, status: 'waiting' as const }));
  return { ...queue, entries: [...interrupted, ...queue.entries.filter((entry) => !isInterrupted(entry))] };
}
