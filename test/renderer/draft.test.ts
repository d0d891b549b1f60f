// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../main/core/resolveConfig.ts';
import { fieldTable } from '../../main/protocol/fieldTable.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { parseField, showField } from '../../renderer/components/fieldValue.ts';
import { Draft } from '../../renderer/state/draft.svelte.ts';
import { merge, withValue } from '../../renderer/state/tree.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

function memory(): Pick<Storage, 'getItem' | 'setItem'> {
  const map = new Map<string, string>();
  return { getItem: (key) => map.get(key) ?? null, setItem: (key, value) => void map.set(key, value) };
}

/** Problems as the engine finds them. */
function check(config: unknown): { field: string; message: string }[] {
  try {
    parseConfig(config);
    return [];
  } catch (error) {
    if (error instanceof PreloraError) return [{ field: error.field ?? '', message: error.message }];
    throw error;
  }
}

let api: FakeApi;
let draft: Draft;

beforeEach(() => {
  api = fakeApi({
    'estimate:compute': ({ config }: { config: unknown }) => ({ problems: check(config), parameters: 1 }),
    'run:start': () => ({ runId: 'new' }),
  });
  draft = new Draft(api, memory());
});

it('starts from the schema’s defaults', () => {
  expect(draft.value('train.epochs')).toBe(100);
  expect(fieldTable().some(({ path }) => draft.isChanged(path))).toBe(false);
});

describe('every field', () => {
  const typed = fieldTable().filter(({ type }) => type !== 'boolean');
  it.each(typed.map((field) => [field.path, field] as const))('%s: its default survives showing and typing', (_, field) => {
    const shown = showField(field.default);
    if (field.type === 'text' && shown === '') return;
    expect(parseField(field, shown)).toEqual(field.default);
  });

  it.each(
    fieldTable()
      .filter(({ type }) => type === 'integer' || type === 'number')
      .map(({ path }) => path),
  )('%s: a wrong value shows the engine’s message at its field', async (path) => {
    draft.set(path, 'many');
    await draft.compute();
    expect(draft.messageOf(path)).not.toBe('');
    expect(draft.isChanged(path)).toBe(true);
    draft.reset(path);
    await draft.compute();
    expect(draft.messageOf(path)).toBe('');
  });

  it('arrives in what is started', async () => {
    draft.set('prelora.tau', 0.7);
    draft.set('model.depth', 6);
    expect(await draft.start()).toBe('new');
    const { arg } = api.asked.find(({ name }) => name === 'run:start')!;
    expect(arg).toMatchObject({ config: { prelora: { tau: 0.7 }, model: { depth: 6 } } });
  });
});

it('keeps the last valid estimate while a field is wrong', async () => {
  await draft.compute();
  const valid = draft.lastValid;
  draft.set('model.imageSize', 3);
  await draft.compute();
  expect(draft.lastValid).toBe(valid);
  expect(draft.estimate?.problems).toHaveLength(1);
});

it('puts the message of a refused start at its field', async () => {
  api.answers['run:start'] = () => {
    throw new PreloraError('bad-config', 'train.lr 3: must be at most 1', 'train.lr');
  };
  expect(await draft.start()).toBeNull();
  expect(draft.messageOf('train.lr')).toBe('train.lr 3: must be at most 1');
  draft.set('train.lr', 0.001);
  expect(draft.messageOf('train.lr')).toBe('');
});

it('undoes each change', () => {
  draft.set('train.epochs', 5);
  draft.set('train.epochs', 6);
  draft.undo();
  expect(draft.value('train.epochs')).toBe(5);
  draft.undo();
  expect(draft.value('train.epochs')).toBe(100);
});

it('marks what differs from the preset, not from the defaults', () => {
  draft.choosePreset({ name: 'p', title: 'P', summary: '', isOwn: false, config: { train: { epochs: 12 } } });
  expect(draft.isChanged('train.epochs')).toBe(false);
  draft.set('train.epochs', 13);
  expect(draft.isChanged('train.epochs')).toBe(true);
  draft.reset('train.epochs');
  expect(draft.value('train.epochs')).toBe(12);
});

it('comes back after a reload', () => {
  const store = memory();
  new Draft(api, store).set('train.epochs', 7);
  expect(new Draft(api, store).value('train.epochs')).toBe(7);
});

it('takes only the newest answer', async () => {
  const waiting: ((value: unknown) => void)[] = [];
  api.answers['estimate:compute'] = () => new Promise((resolve) => waiting.push(resolve));
  const first = draft.compute();
  const second = draft.compute();
  waiting[1]?.({ problems: [], parameters: 2 });
  waiting[0]?.({ problems: [], parameters: 1 });
  await Promise.all([first, second]);
  expect(draft.estimate?.parameters).toBe(2);
});

it('replaces maps as a whole and sections field by field', () => {
  expect(merge({ a: { x: 1, y: 2 }, map: {} }, { a: { y: 3 }, map: { m: 4 } })).toEqual({ a: { x: 1, y: 3 }, map: { m: 4 } });
  expect(withValue({ a: { x: 1 } }, 'a.y', 2)).toEqual({ a: { x: 1, y: 2 } });
});

it('waits a moment before it asks, so that typing does not flood the engine', async () => {
  const settle = setImmediate;
  vi.useFakeTimers();
  const late = new Draft(api, memory());
  // What it asks on its own account, before anything is typed, answers included.
  for (let i = 0; i < 10; i++) {
    await vi.advanceTimersByTimeAsync(500);
    await new Promise((resolve) => settle(resolve));
  }
  api.asked.length = 0;
  for (let i = 1; i < 20; i++) late.set('train.epochs', i);
  await vi.advanceTimersByTimeAsync(500);
  vi.useRealTimers();
  expect(api.asked.filter(({ name }) => name === 'estimate:compute')).toHaveLength(1);
});
