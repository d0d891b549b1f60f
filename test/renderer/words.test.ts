/** Sentences that several screens share, and figures cut to the width they have. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../main/protocol/fieldTable.ts';
import { rangeWords } from '../../renderer/components/fieldValue.ts';
import { cellWidth, mapWidth } from '../../renderer/components/mapSize.ts';
import { setLocale } from '../../renderer/format.ts';
import { gpuWords } from '../../renderer/gpuWords.ts';
import { eventWords } from '../../renderer/journal.ts';
import { shortFigure } from '../../renderer/views/layers/moduleSeries.ts';
import { snapshotsWanted } from '../../renderer/views/live/nextTest.ts';
import { type SwitchFacts, switchSteps } from '../../renderer/views/switch/switchWords.ts';
import { spaced } from './spaced.ts';

beforeAll(() => setLocale('en-US'));

describe('what a switch does', () => {
  const prelora = { optimizerAtSwitch: 'reset', jointSteps: 400, lrRampSteps: 100 };
  const ranks = {
    modules: [{ rank: 8 }, { rank: 0 }, { rank: 4 }],
    adapterParameters: 557_000,
    trainableAfterFreeze: 584_000,
    share: 10.9,
  };
  const said = (switchStep: number | null, freezeStep: number | null): string =>
    spaced(switchSteps({ prelora, ranks, status: { switchStep, freezeStep } } as unknown as SwitchFacts).join(' '));

  it('is to come before it is made', () => {
    expect(said(null, null)).toBe(
      'A checkpoint is written and pinned, so that the switch can be undone. ' +
        '2 adapters are attached (557 k parameters); the function stays the same to the last bit. The optimizer is reset. ' +
        'Joint warm-up for 400 steps: base and adapters train together. Freeze: 584 k stay trainable (10.9 %); the LR ramps up over 100 steps.',
    );
  });
  it('is past once it is, while the freeze may still be to come', () => {
    expect(said(1000, null)).toMatch(/was written.*were attached.*was reset.*for 400 steps: base and adapters train together.*ramps up/);
  });
  it('counts the joint steps that were made, not those that were planned', () => {
    expect(said(1000, 1250)).toMatch(/for 250 steps: base and adapters trained together.*stayed trainable.*ramped up/);
  });
});

describe('an empty picture of changes', () => {
  const run = (steps: number[]) => ({
    status: { phase: 'full' },
    records: { snapshots: { length: steps.length, at: (i: number) => (steps.at(i) === undefined ? undefined : { step: steps.at(i) }) } },
  });
  const said = (steps: number[]): string =>
    spaced(snapshotsWanted(run(steps) as unknown as Parameters<typeof snapshotsWanted>[0], { prelora: { snapshotEvery: 250 } } as never));

  it('says what it waits for and when that comes', () => {
    expect(said([])).toBe('A change needs 2 snapshots. None is there yet; one comes every 250 steps.');
    expect(said([250])).toBe('A change needs 2 snapshots. One is there; the next comes at step 500.');
  });
});

it('the journal tells of sleep and of a disk that fills up, with their figures', () => {
  const said = (kind: string, detail: object): string =>
    spaced(eventWords({ kind, step: 1, segment: 0, time: '', by: 'program', detail: { ...detail } }));
  expect(said('slept', { seconds: 2580 })).toBe('The machine slept 43 min');
  expect(said('disk-low', { freeBytes: 52 * 2 ** 20 })).toBe('The disk fills up: 52 MiB free, another two checkpoints do not fit');
});

it('the GPU is told with what its driver tells, and without what it does not', () => {
  const said = (use: number | null, usedBytes: number | null, totalBytes: number | null): string =>
    spaced(gpuWords({ use, usedBytes, totalBytes }));
  expect(said(0.87, 5.31 * 2 ** 30, 8 * 2 ** 30)).toBe('GPU 87 % · 5.31 of 8.00 GiB');
  expect(said(0, 840 * 2 ** 20, 8 * 2 ** 30)).toBe('GPU 0 % · 0.82 of 8.00 GiB');
  expect(said(null, 5 * 2 ** 30, null)).toBe('GPU · 5.00 GiB');
  expect(said(0.5, null, 8 * 2 ** 30)).toBe('GPU 50 %');
});

it('cuts a figure to a cell: no zero before the point, two figures, three decimals', () => {
  const shown = [0.0214, 0.00002, 0.1, 0.6, 0.994, 0.996, 1.29, 41.2, 137, 23_105, 0, null, Number.POSITIVE_INFINITY].map(shortFigure);
  expect(shown).toEqual(['.021', '≈0', '.10', '.60', '.99', '1.0', '1.3', '41', '137', '2e4', '0.0', '–', '∞']);
});

it('gives 24 layers a map that fits beside the figures at 1,440 pixels, and no cell under 24', () => {
  expect(mapWidth(24)).toBeLessThanOrEqual(1248 - 498 - 26 - 8);
  for (const depth of [1, 12, 24, 48]) expect(cellWidth(depth)).toBeGreaterThanOrEqual(24);
});

it('groups the bounds of a field and keeps them on one line', () => {
  const field = { type: 'integer', min: 0, max: 2_147_483_647 } as FieldEntry;
  expect(rangeWords(field)).toBe('0\u00a0…\u00a02,147,483,647');
  expect(rangeWords({ ...field, max: 1024, aboveMin: true } as FieldEntry)).toBe('above 0\u00a0…\u00a01024');
});
