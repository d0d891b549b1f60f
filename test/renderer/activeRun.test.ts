// @vitest-environment ../support/pageEnvironment.ts
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunFrame } from '../../main/protocol/events.ts';
import { RecordPieces } from '../../main/protocol/recordPieces.ts';
import type { EventRecord } from '../../main/protocol/records.ts';
import type { RunState } from '../../main/protocol/results.ts';
import { ActiveRun } from '../../renderer/state/activeRun.svelte.ts';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { makeHistory } from '../e2e/scripted/history.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

const history = makeHistory({
  runId: 'r',
  name: 'r',
  seed: 1,
  daysAgo: 0,
  atStep: 1000,
  config: {
    model: { size: 'custom', imageSize: 32, patchSize: 4, embedDim: 64, depth: 2, numHeads: 2 },
    train: { epochs: 20 },
    prelora: { snapshotEvery: 250 },
  },
});

function stateAt(step: number, sequence: number): RunState {
  const upTo = <T extends { step: number }>(records: T[]): T[] => records.filter((record) => record.step <= step);
  return {
    summary: { config: history.config, status: statusAt(step) } as RunState['summary'],
    ...pieces(step).first(),
    epochs: upTo(history.epochs),
    events: [],
    abandoned: { metrics: [], epochs: [] },
    ranks: null,
    phases: [],
    checkpoints: [],
    classNames: [],
    live: true,
    sequence,
  };
}

function pieces(step: number): RecordPieces {
  const upTo = <T extends { step: number }>(records: T[]): T[] => records.filter((record) => record.step <= step);
  return new RecordPieces(upTo(history.metrics), upTo(history.snapshots), (bytes) => Buffer.from(bytes).toString('base64'));
}

function manyMetrics(count: number): RunFrame['metrics'] {
  const [line] = history.metrics;
  return Array.from({ length: count }, (_, i) => ({ ...line, step: i + 1 }) as RunFrame['metrics'][number]);
}

function statusAt(step: number): RunFrame['status'] {
  return {
    name: 'r',
    status: 'running',
    phase: 'full',
    step,
    totalSteps: history.totalSteps,
    switchStep: null,
    freezeStep: null,
  } as RunFrame['status'];
}

function frame(sequence: number, from: number, to: number, more: Partial<RunFrame> = {}): RunFrame {
  const between = <T extends { step: number }>(records: T[]): T[] => records.filter(({ step }) => step > from && step <= to);
  return {
    runId: 'r',
    sequence,
    live: true,
    metrics: between(history.metrics),
    epochs: between(history.epochs),
    snapshots: between(history.snapshots),
    events: [],
    status: statusAt(to),
    activity: 'training',
    etaSeconds: 100,
    ...more,
  };
}

function event(kind: string, step: number, detail = {}): EventRecord {
  return { kind, step, segment: 0, time: '', by: 'rule', detail };
}

let api: FakeApi;
let run: ActiveRun;
let stop: () => void;
let engineStep = 1000;
let engineSequence = 0;

beforeEach(async () => {
  engineStep = 1000;
  engineSequence = 0;
  api = fakeApi({
    'run:state': () => stateAt(engineStep, engineSequence),
    replay: () => ({ switchStep: null, windows: [], ranks: {}, reasons: [] }),
  });
  run = new ActiveRun('r', api, new Notices());
  stop = run.start();
  await vi.waitFor(() => expect(run.loading).toBe('full'));
});
afterEach(() => stop());

describe('frames', () => {
  it('append without a gap and without a double', () => {
    api.push('run:frame', frame(1, 1000, 1100));
    api.push('run:frame', frame(1, 1000, 1100));
    expect([...run.records.metrics.step]).toEqual(history.metrics.filter(({ step }) => step <= 1100).map(({ step }) => step));
    expect(api.asked.filter(({ name }) => name === 'frames:ack')).toHaveLength(1);
  });

  it('with a gap in their numbers lead to a catch-up, and the records equal the files', async () => {
    engineStep = 1400;
    engineSequence = 5;
    api.push('run:frame', frame(5, 1300, 1400));
    await vi.waitFor(() => expect(run.records.metrics.step.at(-1)).toBe(1400));
    expect([...run.records.metrics.step]).toEqual(history.metrics.filter(({ step }) => step <= 1400).map(({ step }) => step));
  });

  it('of another run are not taken', () => {
    api.push('run:frame', { ...frame(1, 1000, 1100), runId: 'other' });
    expect(run.records.metrics.step.at(-1)).toBe(1000);
  });

  it('of a new segment make the page ask again, because records were abandoned', async () => {
    const before = api.asked.filter(({ name }) => name === 'run:state').length;
    const fresh = frame(1, 1000, 1250);
    api.push('run:frame', { ...fresh, snapshots: fresh.snapshots.map((snapshot) => ({ ...snapshot, segment: 1 })) });
    await vi.waitFor(() => expect(api.asked.filter(({ name }) => name === 'run:state').length).toBe(before + 1));
  });

  it('with a snapshot ask for the verdict once', async () => {
    const before = api.asked.filter(({ name }) => name === 'replay').length;
    api.push('run:frame', frame(1, 1000, 1250));
    await vi.waitFor(() => expect(api.asked.filter(({ name }) => name === 'replay').length).toBe(before + 1));
  });
});

it('reads a long run piece by piece, and what a frame brings meanwhile comes after', async () => {
  const whole = new RecordPieces(manyMetrics(1300), history.snapshots.slice(0, 100), (bytes) => Buffer.from(bytes).toString('base64'));
  const long = fakeApi({
    'run:state': () => ({ ...stateAt(1000, 0), ...whole.first() }),
    'run:piece': ({ piece }: { piece: number }) => {
      if (piece === 2) long.push('run:frame', { ...frame(1, 0, 0), metrics: manyMetrics(1301).slice(-1), status: statusAt(1301) });
      return whole.piece(piece);
    },
    replay: () => ({ switchStep: null, windows: [], ranks: {}, reasons: [] }),
  });
  const other = new ActiveRun('r', long, new Notices());
  const end = other.start();
  await vi.waitFor(() => expect(other.loading).toBe('full'));
  end();
  expect([...other.records.metrics.step]).toEqual(manyMetrics(1301).map(({ step }) => step));
  const { snapshots } = other.records;
  const [at, module] = [snapshots.length - 1, snapshots.modules[0] ?? ''];
  expect(snapshots.norm(at, module, 'weightNorm')).toBe(history.snapshots[at]?.modules[module]?.weightNorm);
});

it('keeps the charts still between two drawings, whatever frames bring', () => {
  const before = run.drawnStatus;
  api.push('run:frame', frame(1, 1000, 1010));
  expect([run.status?.step, run.drawnStatus]).toEqual([1010, before]);
});

describe('a frame that comes while the page asks', () => {
  it('before the answer is kept, when it is newer than the answer', async () => {
    let answer: (state: RunState) => void = () => {};
    api.answers['run:state'] = () => new Promise<RunState>((resolve) => (answer = resolve));
    const asking = run.catchUp();
    api.push('run:frame', frame(2, 900, 1000));
    api.push('run:frame', frame(8, 1100, 1200, { status: { ...statusAt(1200), status: 'finished' }, live: false }));
    answer(stateAt(1100, 7));
    await asking;
    expect([...run.records.metrics.step]).toEqual(history.metrics.filter(({ step }) => step <= 1200).map(({ step }) => step));
    expect([run.status?.status, run.live]).toEqual(['finished', false]);
  });
});

it('keeps the proposal that follows an answer at once: one frame holds both, and the answer to the request may come last', async () => {
  api.push('run:frame', frame(1, 1000, 1004, { events: [event('ready', 1004)] }));
  expect(run.proposal).toEqual({ step: 1004, dueStep: null });
  let answer: (value: unknown) => void = () => {};
  api.answers['switch:veto'] = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  const vetoed = run.controls.veto();
  api.push('switch:proposed', { runId: 'r', step: 1012, dueStep: null });
  api.push('run:frame', frame(2, 1004, 1012, { events: [event('switch-vetoed', 1004), event('ready', 1012)] }));
  answer({});
  await vetoed;
  expect(run.proposal).toEqual({ step: 1012, dueStep: null });
});

it('knows of a proposal that was made before the page came, until somebody decides', async () => {
  api.answers['run:state'] = () => ({ ...stateAt(1000, 0), events: [event('ready', 750)] });
  await run.catchUp();
  expect(run.proposal).toEqual({ step: 750, dueStep: null });
  api.push('run:frame', frame(1, 1000, 1010, { events: [event('switch-vetoed', 1005)] }));
  expect(run.proposal).toBeNull();
  api.answers['run:state'] = () => ({ ...stateAt(1000, 0), events: [event('ready', 750), event('switch-planned', 800, { dueStep: 900 })] });
  await run.catchUp();
  expect(run.proposal).toEqual({ step: 800, dueStep: 900 });
});

it('drops the proposal when an edit takes it back, as the engine does', async () => {
  const edited = (field: string, to: unknown) => event('edited', 1004, { field, from: null, to });
  const [ready, planned] = [event('ready', 1004), event('switch-planned', 1004, { dueStep: 1100 })];
  const after = async (...events: EventRecord[]) => {
    api.answers['run:state'] = () => ({ ...stateAt(1004, 0), events });
    await run.catchUp();
    return run.proposal?.step ?? null;
  };
  expect(await after(ready, edited('prelora.switching', 'off'))).toBeNull();
  expect(await after(planned, edited('prelora.switching', 'off'))).toBeNull();
  expect(await after(planned, edited('prelora.switching', 'manual'))).toBeNull();
  expect(await after(ready, edited('prelora.snapshotEvery', 50))).toBeNull();
  expect(await after(ready, edited('prelora.switching', 'auto'))).toBe(1004);
  expect(await after(ready, edited('prelora.tau', 0.5))).toBe(1004);
  expect(await after(ready, edited('prelora.switching', 'off'), ready)).toBe(1004);
});

it('asks again when the engine says that the run changed', async () => {
  const before = api.asked.filter(({ name }) => name === 'run:state').length;
  api.push('runs:changed', { runIds: ['other'] });
  api.push('runs:changed', { runIds: ['r'] });
  await vi.waitFor(() => expect(api.asked.filter(({ name }) => name === 'run:state').length).toBe(before + 1));
});

it('asks once more when the run changed while the answer was on its way', async () => {
  const before = api.asked.filter(({ name }) => name === 'run:state').length;
  api.push('runs:changed', { runIds: ['r'] });
  api.push('runs:changed', { runIds: ['r'] });
  await vi.waitFor(() => expect(api.asked.filter(({ name }) => name === 'run:state').length).toBe(before + 2));
});

it('catches up after a lost connection', async () => {
  const before = api.asked.filter(({ name }) => name === 'run:state').length;
  api.connection('lost');
  api.connection('open');
  await vi.waitFor(() => expect(api.asked.filter(({ name }) => name === 'run:state').length).toBe(before + 1));
});

it('says why it waits until the status changes', () => {
  void run.controls.pause();
  expect(run.controls.pending).toBe('Pausing after this step');
  api.push('run:frame', frame(1, 1000, 1010, { status: { ...statusAt(1010), status: 'paused' } }));
  expect(run.controls.pending).toBeNull();
});

it('tries thresholds on recorded snapshots without editing, and edits on apply', async () => {
  run.thresholds.set({ tau: 0.5 });
  await vi.waitFor(() => expect(run.thresholds.replay).not.toBeNull());
  expect(api.asked.some(({ name }) => name === 'run:edit')).toBe(false);
  await run.thresholds.apply();
  expect(api.asked.find(({ name }) => name === 'run:edit')?.arg).toMatchObject({ changes: { 'prelora.tau': 0.5 } });
  expect(run.thresholds.draft.tau).toBeNull();
});

it('takes a draft equal to the setting off the table', () => {
  run.thresholds.set({ tau: 0.5 });
  run.thresholds.set({ tau: history.config.prelora.tau });
  expect(run.thresholds.draft.tau).toBeNull();
});

it('keeps the exit until the run goes on', async () => {
  api.push('trainer:exited', { runId: 'r', reason: 'signal SIGKILL', resumable: true });
  expect(run.exit?.reason).toBe('signal SIGKILL');
  await vi.waitFor(() => expect(run.live).toBe(true));
  api.push('run:frame', frame(1, 1000, 1010, { status: { ...statusAt(1010), status: 'paused' } }));
  api.push('run:frame', frame(2, 1010, 1020));
  expect(run.exit).toBeNull();
});

it('is broken with the reason when the run cannot be read', async () => {
  const broken = fakeApi({
    'run:state': () => {
      throw new Error('snapshots.jsonl line 3 is not JSON');
    },
  });
  const other = new ActiveRun('x', broken, new Notices());
  const end = other.start();
  await vi.waitFor(() => expect(other.loading).toBe('broken'));
  expect(other.problem).toContain('line 3');
  end();
});

it('leaves no listener behind', () => {
  stop();
  expect(api.listeners).toBe(0);
});

it('stops reading pieces when its screen closes, and leaves the rest to the next reader', async () => {
  const whole = new RecordPieces(manyMetrics(1300), history.snapshots.slice(0, 100), (bytes) => Buffer.from(bytes).toString('base64'));
  const long = fakeApi({
    'run:state': () => ({ ...stateAt(1000, 0), ...whole.first() }),
    'run:piece': ({ piece }: { piece: number }) => {
      if (piece === 1) end();
      return whole.piece(piece);
    },
  });
  const end = new ActiveRun('r', long, new Notices()).start();
  await vi.waitFor(() => expect(long.asked.some(({ name }) => name === 'run:unsubscribe')).toBe(true));
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(whole.count).toBeGreaterThan(2);
  expect(long.asked.filter(({ name }) => name === 'run:piece')).toHaveLength(1);
});
