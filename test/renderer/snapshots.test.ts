// @vitest-environment ../support/pageEnvironment.ts
import { describe, expect, it } from 'vitest';
import { RecordPieces } from '../../main/protocol/recordPieces.ts';
import type { SnapshotRecord } from '../../main/protocol/records.ts';
import { type HeatModel, paintCells, shownColumns } from '../../renderer/charts/heat.ts';
import { NumberColumn } from '../../renderer/state/numberColumn.ts';
import { Snapshots } from '../../renderer/state/snapshots.ts';
import { combinedChanges } from '../../renderer/views/live/changes.ts';
import { makeHistory } from '../e2e/scripted/history.ts';

const { snapshots: records } = makeHistory({
  runId: 'r',
  name: 'r',
  seed: 1,
  daysAgo: 0,
  atStep: 0,
  config: {
    model: { size: 'custom', imageSize: 32, patchSize: 4, embedDim: 64, depth: 3, numHeads: 2 },
    train: { epochs: 60 },
    prelora: { snapshotEvery: 50 },
  },
});
const unpack = (list: readonly SnapshotRecord[]): Snapshots => {
  const pieces = new RecordPieces([], list, (bytes) => Buffer.from(bytes).toString('base64'));
  const snapshots = Snapshots.unpack(pieces.first().snapshots);
  for (let i = 1; i < pieces.count; i++) snapshots.append(pieces.piece(i).norms ?? '');
  return snapshots;
};

describe('packed snapshots', () => {
  it('give back every number and head of the records', () => {
    const snapshots = unpack(records);
    expect(snapshots.length).toBe(records.length);
    records.forEach(({ modules, ...head }, i) => {
      expect(snapshots.at(i)).toEqual(head);
      for (const [module, norms] of Object.entries(modules)) {
        for (const name of ['weightNorm', 'gradNorm', 'displacement'] as const) expect(snapshots.norm(i, module, name)).toBe(norms[name]);
      }
    });
  });

  it('keep what is missing or not finite apart from numbers', async () => {
    const odd = structuredClone(records.slice(0, 3));
    odd[1]!.modules['blocks.0.attn.q'] = { weightNorm: Number.NaN, gradNorm: null, displacement: Number.POSITIVE_INFINITY };
    delete odd[2]!.modules['blocks.1.mlp.fc1'];
    const snapshots = unpack(odd);
    expect(snapshots.norm(1, 'blocks.0.attn.q', 'weightNorm')).toBeNull();
    expect(snapshots.norm(1, 'blocks.0.attn.q', 'gradNorm')).toBeNull();
    expect(snapshots.norm(1, 'blocks.0.attn.q', 'displacement')).toBe(Number.POSITIVE_INFINITY);
    expect(snapshots.norm(2, 'blocks.1.mlp.fc1', 'weightNorm')).toBeNull();
    expect([...snapshots.changes('blocks.0.attn.q', 'norm', 1, 3)]).toEqual([Number.NaN, Number.NaN]);
  });

  it('of a run without any are empty', async () => {
    expect(unpack([]).length).toBe(0);
  });

  it('go on with live records, of which a repeated one changes nothing', () => {
    const snapshots = unpack(records.slice(0, 5));
    for (const record of [records[4]!, records[5]!, records[5]!, records[6]!]) snapshots.push(record);
    expect([...snapshots.steps]).toEqual(records.slice(0, 7).map(({ step }) => step));
    expect(snapshots.norm(6, 'blocks.2.mlp.fc2', 'weightNorm')).toBe(records[6]!.modules['blocks.2.mlp.fc2']!.weightNorm);
  });
});

describe('changes', () => {
  // Worked by hand from percentChange of method.md section 7: |42 − 40| / 40, and displacement 5 over the norm before, 40.
  it('are percent of the norm before, by either metric', async () => {
    const one = (step: number, weightNorm: number): SnapshotRecord => ({
      ...records[0]!,
      step,
      modules: { 'blocks.0.attn.q': { weightNorm, gradNorm: 1, displacement: 5 } },
    });
    const snapshots = unpack([one(1, 40), one(2, 42), one(3, 0), one(4, 0)]);
    expect(snapshots.change(1, 'blocks.0.attn.q', 'norm')).toBe(5);
    expect(snapshots.change(1, 'blocks.0.attn.q', 'displacement')).toBe(12.5);
    expect(snapshots.change(3, 'blocks.0.attn.q', 'norm')).toBe(0);
    expect(snapshots.change(3, 'blocks.0.attn.q', 'displacement')).toBe(Number.POSITIVE_INFINITY);
    expect(snapshots.change(0, 'blocks.0.attn.q', 'norm')).toBeNaN();
  });

  it('of several modules grow with new snapshots to what they would be from scratch', async () => {
    const wanted = { rows: [['blocks.0.attn.q', 'blocks.1.attn.k'], ['blocks.1.mlp.fc1']], metric: 'norm', by: 'max' } as const;
    const growing = unpack(records.slice(0, 5));
    expect(combinedChanges(growing, wanted).map(({ length }) => length)).toEqual([4, 4]);
    for (const record of records.slice(5, 20)) growing.push(record);
    const whole = unpack(records.slice(0, 20));
    expect(combinedChanges(growing, wanted)).toEqual(combinedChanges(whole, wanted));
  });
});

describe('the picture of the heatmap', () => {
  const model = (values: number[], xRange: [number, number]): HeatModel =>
    ({ rows: [{ label: '0', values }], columns: values.map((_, i) => i), xRange, low: 1, high: 100 }) as unknown as HeatModel;
  const red = (values: number[], width: number): number[] => {
    const { data, width: columns } = paintCells(model(values, [0, values.length - 1]), width, ['#000000', '#ff0000']);
    return Array.from({ length: columns }, (_, i) => data[4 * i] as number);
  };

  it('keeps the largest of the snapshots that share a pixel, so that no peak is lost', () => {
    expect(red([1, 1, 1, 100, 1, 1], 2)).toEqual([0, 255]);
  });

  it('leaves what is missing transparent', () => {
    const { data } = paintCells(model([Number.NaN, 100], [0, 1]), 10, ['#000000', '#ff0000']);
    expect([data[3], data[7]]).toEqual([0, 255]);
  });

  it('shows the stretch that the charts show', () => {
    expect(shownColumns(model([1, 1, 1, 1, 1], [1, 3]))).toEqual([1, 4]);
    expect(shownColumns(model([1, 1, 1], [0, 99]))).toEqual([0, 3]);
  });
});

it('a column grows without changing what was read before', () => {
  const column = new NumberColumn();
  for (let i = 0; i < 64; i++) column.push(i);
  const before = column.values;
  column.append([64, 65]);
  column.push(null);
  expect(before).toHaveLength(64);
  expect([...column.values.slice(62)]).toEqual([62, 63, 64, 65, Number.NaN]);
});
