/** The queue with runs that end when the test says so: order, failure, pause, time, restart, and the fallback of manual switching. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { HostListener } from '../../main/host/engineHost.ts';
import { proposalStands } from '../../main/host/manualFallback.ts';
import { type QueuedRun, type QueueHost, RunQueue } from '../../main/host/runQueue.ts';
import type { RunConfig } from '../../main/protocol/config.ts';
import type { EventRecord } from '../../main/protocol/records.ts';
import type { RunCommand } from '../../main/train/commands.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

type End = NonNullable<QueuedRun['ended']>['end'] | 'crash';

/** An engine host whose runs do nothing: `end` ends the one that has the device. */
class FakeHost implements QueueHost {
  readonly dataRoot: string;
  readonly options = { log: (message: string) => this.logged.push(message) };
  readonly logged: string[] = [];
  readonly started: string[] = [];
  readonly resumed: { runId: string; first: RunCommand[] }[] = [];
  readonly commands: RunCommand[] = [];
  readonly annotated: unknown[] = [];
  readonly #listeners = new Set<HostListener>();
  #live: { runId: string; run: QueuedRun; finish: () => void } | null = null;
  refuse: Error | null = null;

  constructor(dataRoot: string) {
    this.dataRoot = dataRoot;
  }
  readonly catalog = {
    find: async (runId: string) => path.join(this.dataRoot, 'runs', runId),
    annotate: async (_runId: string, changes: unknown) => void this.annotated.push(changes),
  };
  get occupiedBy() {
    return this.#live ? `run ${this.#live.runId} is running` : null;
  }
  listen(listener: HostListener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  broadcast() {}
  push(runId: string) {
    for (const listener of this.#listeners) listener.push('switch:proposed', { runId, step: 1, dueStep: null });
  }
  liveRun(runId: string) {
    return this.#live?.runId === runId ? this.#live.run : null;
  }
  async start({ name }: RunConfig) {
    if (this.refuse) throw this.refuse;
    this.started.push(name);
    this.begin(name);
    return name;
  }
  async resume(runId: string, first: RunCommand[]) {
    this.resumed.push({ runId, first });
    this.begin(runId);
  }
  begin(runId: string) {
    const dir = path.join(this.dataRoot, 'runs', runId);
    mkdirSync(dir, { recursive: true });
    const ended: { value: QueuedRun['ended'] } = { value: null };
    let finish = (): void => {};
    const over = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const run: QueuedRun = {
      dir,
      status: null,
      over,
      command: async (command) => void this.commands.push(command),
      get ended() {
        return ended.value;
      },
    };
    this.#ended = ended;
    this.#live = { runId, run, finish };
  }
  #ended: { value: QueuedRun['ended'] } | null = null;

  end(end: End = 'finished', message: string | null = null) {
    if (this.#ended && end !== 'crash') this.#ended.value = { end, message };
    const live = this.#live;
    this.#live = null;
    live?.finish();
    for (const listener of this.#listeners) listener.deviceFreed?.();
  }
}

const named = (name: string, changes: object = {}) => ({ config: { ...SMALL_RUN, ...changes, name } });
const manual = (name: string) => named(name, { prelora: { ...SMALL_RUN.prelora, switching: 'manual' } });
const automatic = (name: string) => named(name, { prelora: { ...SMALL_RUN.prelora, switching: 'auto' } });

async function openQueue(folder = temporaryFolder()) {
  const host = new FakeHost(folder);
  const queue = new RunQueue(host, path.join(folder, 'queue'));
  await queue.open();
  onTestFinished(() => queue.close());
  const names = async () => (await queue.state()).entries.map(({ name, status }) => `${name} ${status}`);
  return { folder, host, queue, names };
}

describe('the queue', () => {
  test('trains one after another in order, and what is finished leaves it', async () => {
    const { host, queue, names } = await openQueue();
    await queue.add([automatic('a'), automatic('b')]);
    await vi.waitFor(async () => expect((await queue.state()).entries[0]).toMatchObject({ status: 'running', runId: 'a' }));
    expect(await names()).toEqual(['a running', 'b waiting']);
    host.end();
    await vi.waitFor(async () => expect(await names()).toEqual(['b running']));
    await vi.waitFor(() => expect(host.started).toEqual(['a', 'b']));
    host.end();
    await vi.waitFor(async () => expect(await names()).toEqual([]));
  });

  test.each(['failed', 'diverged', 'crash'] as const)('goes on after a run that ended as %s, which stays with its reason', async (end) => {
    const { host, queue, names } = await openQueue();
    await queue.add([automatic('a'), automatic('b'), automatic('c')]);
    await vi.waitFor(() => expect(host.started).toEqual(['a']));
    host.end();
    await vi.waitFor(() => expect(host.started).toEqual(['a', 'b']));
    host.end(end, 'out of luck');
    await vi.waitFor(async () => expect(await names()).toEqual(['b failed', 'c running']));
    const [failed] = (await queue.state()).entries;
    expect(failed?.message).toBe(end === 'crash' ? 'the run ended: crashed' : 'out of luck');
    await queue.retry(failed?.id ?? '');
    host.end();
    await vi.waitFor(() => expect(host.resumed).toEqual([{ runId: 'b', first: [] }]));
  });

  test('goes on after a run that could not start', async () => {
    const { host, queue, names } = await openQueue();
    await queue.setPaused(true);
    await queue.add([automatic('a'), automatic('b')]);
    host.refuse = new Error('data.source: no such folder');
    await queue.setPaused(false);
    await vi.waitFor(async () => expect(await names()).toEqual(['a failed', 'b failed']));
    expect((await queue.state()).entries[0]?.message).toBe('data.source: no such folder');
  });

  test('freezes the config: what the caller changes afterwards is not trained', async () => {
    const { folder, queue } = await openQueue();
    await queue.setPaused(true);
    const order = automatic('a');
    await queue.add([order]);
    Object.assign(order.config, { train: { ...SMALL_RUN.train, epochs: 7 } });
    const file = JSON.parse(readFileSync(path.join(folder, 'queue', 'queue.json'), 'utf8'));
    expect(file.entries[0].config.train.epochs).toBe(SMALL_RUN.train.epochs);
  });

  test('is reordered, shortened, paused, and says why it waits', async () => {
    const { host, queue, names } = await openQueue();
    await queue.setPaused(true);
    const [a, b, c] = await queue.add([automatic('a'), automatic('b'), automatic('c')]);
    expect((await queue.state()).waitsFor).toBe('the queue is paused');
    await queue.move(c as string, a as string);
    await queue.remove([b as string]);
    expect(await names()).toEqual(['c waiting', 'a waiting']);
    await queue.restore([b as string]);
    expect(await names()).toEqual(['c waiting', 'a waiting', 'b waiting']);
    await queue.remove([b as string]);
    await queue.move(c as string, null);
    expect(await names()).toEqual(['a waiting', 'c waiting']);
    await queue.setPaused(false);
    await vi.waitFor(() => expect(host.started).toEqual(['a']));
    await expect(queue.remove([a as string])).rejects.toMatchObject({ code: 'busy' });
    await expect(queue.move('nothing', null)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('waits for a run that was started by hand, and for a time', async () => {
    const { host, queue } = await openQueue();
    host.begin('by hand');
    await queue.add([automatic('a')]);
    expect((await queue.state()).waitsFor).toContain('is running');
    await queue.setStartAt(new Date(Date.now() + 300).toISOString());
    host.end();
    expect((await queue.state()).waitsFor).toMatch(/^starts at /);
    expect(host.started).not.toContain('a');
    await vi.waitFor(() => expect(host.started).toContain('a'));
  });

  test('outlives the program: the run that was going on is resumed first', async () => {
    const folder = temporaryFolder();
    const first = await openQueue(folder);
    await first.queue.add([automatic('a'), automatic('b')]);
    await vi.waitFor(async () => expect((await first.queue.state()).entries[0]?.runId).toBe('a'));
    await first.queue.close();
    first.host.end('interrupted');
    const second = await openQueue(folder);
    await vi.waitFor(() => expect(second.host.resumed).toEqual([{ runId: 'a', first: [] }]));
    second.host.end();
    await vi.waitFor(() => expect(second.host.started).toEqual(['b']));
  });

  test('opened again while paused, it starts nothing: the run that was going on waits first, and can be taken out', async () => {
    const folder = temporaryFolder();
    const first = await openQueue(folder);
    const [a] = await first.queue.add([automatic('a'), automatic('b')]);
    await vi.waitFor(async () => expect((await first.queue.state()).entries[0]?.runId).toBe('a'));
    await first.queue.setPaused(true);
    await first.queue.move(a as string, null);
    await first.queue.close();
    first.host.end('interrupted');
    const second = await openQueue(folder);
    expect(await second.names()).toEqual(['a waiting', 'b waiting']);
    expect((await second.queue.state()).waitsFor).toBe('the queue is paused');
    expect(second.host.resumed).toEqual([]);
    await second.queue.remove([a as string]);
    await second.queue.setPaused(false);
    await vi.waitFor(() => expect(second.host.started).toEqual(['b']));
  });

  test('is worked off by one process at a time', async () => {
    const { folder, queue } = await openQueue();
    await queue.setPaused(true);
    await queue.add([automatic('a')]);
    const second = await openQueue(folder);
    expect((await second.queue.state()).entries).toHaveLength(1);
    await expect(second.queue.add([automatic('b')])).rejects.toMatchObject({ code: 'busy' });
  });

  test('sets a damaged file aside and begins empty', async () => {
    const folder = temporaryFolder();
    mkdirSync(path.join(folder, 'queue'));
    writeFileSync(path.join(folder, 'queue', 'queue.json'), '{"version":1,"paused":"no"}');
    const { host, names } = await openQueue(folder);
    expect(await names()).toEqual([]);
    expect(host.logged[0]).toMatch(/queue\.json: paused.*set aside/);
  });

  test('remembers the study in the run', async () => {
    const { host, queue } = await openQueue();
    const study = { study: 's', variant: 'full', seed: 3 };
    await queue.add([{ ...automatic('a'), study }]);
    await vi.waitFor(() => expect(host.annotated).toEqual([{ study }]));
  });

  test.each([
    [named('bad', { train: { epochs: 0 } }), { code: 'bad-config', field: 'train.epochs' }],
    [manual('m'), { code: 'bad-arguments', field: 'fallback' }],
  ])('refuses %j, and then takes none of the rest', async (order, error) => {
    const { queue, names } = await openQueue();
    await queue.setPaused(true);
    await expect(queue.add([automatic('a'), order])).rejects.toMatchObject(error);
    expect(await names()).toEqual([]);
  });
});

describe('manual switching in a queue', () => {
  const event = (kind: string, detail: EventRecord['detail'] = {}): EventRecord => ({
    kind,
    step: 1,
    segment: 0,
    time: '',
    by: 'rule',
    detail,
  });

  async function propose(action: 'switch' | 'full', ...after: EventRecord[]) {
    const { host, queue } = await openQueue();
    await queue.add([{ ...manual('m'), fallback: { minutes: 0.0005, action } }]);
    await vi.waitFor(() => expect(host.liveRun('m')).not.toBeNull());
    const file = path.join(host.liveRun('m')?.dir ?? '', 'events.jsonl');
    for (const record of [event('ready'), ...after]) appendFileSync(file, `${JSON.stringify(record)}\n`);
    host.push('m');
    return host;
  }

  test('switches when nobody has answered for the stated time, and says so in the journal', async () => {
    const { commands } = await propose('switch');
    await vi.waitFor(() => expect(commands.map(({ kind }) => kind)).toEqual(['note', 'switchNow']));
  });

  test('or trains on in full without asking again', async () => {
    const { commands } = await propose('full');
    await vi.waitFor(() => expect(commands[1]).toMatchObject({ kind: 'edit', changes: { 'prelora.switching': 'off' } }));
  });

  test('does nothing once the user has answered', async () => {
    const { commands } = await propose('switch', event('switch-vetoed'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(commands).toEqual([]);
    expect(proposalStands([event('ready'), event('edited', { field: 'prelora.tau' })])).toBe(true);
    expect(proposalStands([event('ready'), event('edited', { field: 'prelora.switching' })])).toBe(false);
    expect(proposalStands([event('ready'), event('switch-deferred'), event('ready')])).toBe(true);
    expect(proposalStands([])).toBe(false);
  });
});
