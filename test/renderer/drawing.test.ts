// @vitest-environment ../support/pageEnvironment.ts
import { describe, expect, it } from 'vitest';
import { differenceCell, rankCell } from '../../renderer/charts/cells.ts';
import { spread } from '../../renderer/charts/endLabels.ts';
import { mergeMarkers } from '../../renderer/charts/flags.ts';
import { position, scaleEnds } from '../../renderer/charts/heat.ts';
import { contrast, mix } from '../../renderer/charts/ramp.ts';
import { type ChartTheme, longHex } from '../../renderer/charts/theme.ts';
import { eventWords, markerLetter } from '../../renderer/journal.ts';
import { matchesModule } from '../../renderer/modules.ts';
import type { ActiveRun } from '../../renderer/state/activeRun.svelte.ts';
import { fuzzyScore, keysOf, matchesKeys } from '../../renderer/state/commands.ts';
import { meanSpread } from '../../renderer/state/comparison.svelte.ts';
import { classTable, topConfusions, wilsonHalfWidth } from '../../renderer/state/evaluation.svelte.ts';
import { formatRoute, parseRoute } from '../../renderer/state/navigation.svelte.ts';
import { takeToken } from '../../renderer/transport/webSocket.ts';
import { typedEdit } from '../../renderer/views/live/runCommands.ts';
import { spaced } from './spaced.ts';

const theme = {
  colour: { 'rank-low': '#e8effa', 'rank-high': '#0b3d91', 'diff-minus': '#8f3c14', 'diff-zero': '#f0f0f0', 'diff-plus': '#0b45b5' },
} as ChartTheme;

it('merges flags closer than 12 px into one with a count', () => {
  const markers = [0, 5, 11, 40].map((x) => ({ x, step: x, letter: 'E', label: '' }));
  expect(mergeMarkers(markers, (x) => x).map(({ text }) => text)).toEqual(['3', 'E']);
});

it('pushes end labels apart and keeps them inside', () => {
  const ys = spread([{ y: 50 }, { y: 51 }, { y: 99 }, { y: 99 }], 0, 100, 12).map(({ y }) => y);
  for (let i = 1; i < ys.length; i++) expect(ys[i]! - ys[i - 1]!).toBeGreaterThanOrEqual(12);
  expect(ys.at(-1)).toBeLessThanOrEqual(100);
});

it('mixes to the very ends', () => {
  expect(mix('#e8effa', '#0b3d91', 0)).toBe('#e8effa');
  expect(mix('#e8effa', '#0b3d91', 1)).toBe('#0b3d91');
});

// W3C's own example: #777777 on white is 4.48:1.
it('computes contrast as WCAG does', () => expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2));

describe('the scale of changes', () => {
  it('is logarithmic, with zero at the low end', () => {
    expect(position(0, 0.01, 10)).toBe(0);
    expect(position(Math.sqrt(0.1), 0.01, 10)).toBeCloseTo(0.5);
    expect(position(Number.POSITIVE_INFINITY, 0.01, 10)).toBe(1);
  });
  it('holds all values between round ends and is never empty', () => {
    expect(scaleEnds([{ label: '', values: [0.4, 2, null, 0] }])).toEqual([expect.closeTo(0.3, 6), expect.closeTo(3, 6)]);
    expect(scaleEnds([{ label: '', values: [0.02, 4] }])).toEqual([expect.closeTo(0.01, 6), expect.closeTo(10, 6)]);
    expect(scaleEnds([{ label: '', values: [1, 1] }])).toEqual([1, 10]);
    expect(scaleEnds([])).toEqual([0.01, 10]);
  });
});

it('shows no adapter as a dash and ranks one step per power of two', () => {
  expect(rankCell(0, 32, theme, { title: '' })).toMatchObject({ text: '–', background: null });
  expect(rankCell(32, 32, theme, { title: '' }).background).toBe('#0b3d91');
  expect(differenceCell(8, 4, theme, '').text).toBe('−4');
  expect(differenceCell(8, 8, theme, '').background).toBe('#f0f0f0');
});

it('finds modules by "3 q"', () => {
  expect(matchesModule('blocks.3.attn.q', '3 q')).toBe(true);
  expect(matchesModule('blocks.13.attn.q', '3 q')).toBe(false);
  expect(matchesModule('blocks.3.mlp.fc1', 'mlp')).toBe(true);
});

describe('the journal in words', () => {
  const event = (kind: string, detail: Record<string, unknown>) =>
    spaced(eventWords({ kind, detail, step: 1, segment: 0, time: '', by: 'user' }));
  it('says old → new', () => expect(event('edited', { field: 'prelora.tau', from: 1, to: 0.8 })).toBe('τ 1.00 % → 0.80 %'));
  it('keeps the name of an unknown kind', () => expect(event('teleported', { words: 'oops' })).toBe('teleported: oops'));
  it('tells of a crash by the name the engine gives it, with its reason and a flag', () => {
    expect(event('crash', { reason: 'ended with SIGKILL' })).toBe('The trainer ended unexpectedly – ended with SIGKILL');
    expect(markerLetter('crash')).toBe('C');
  });
  it('flags a switch with S and lists a checkpoint only', () => {
    expect(markerLetter('switched')).toBe('S');
    expect(markerLetter('checkpoint')).toBeNull();
  });
});

describe('evaluation figures', () => {
  const confusion = [
    [8, 2],
    [4, 6],
  ];
  it('gives recall, precision and F1 per class', () => {
    const [cat] = classTable(confusion, ['cat', 'dog']);
    expect(cat).toMatchObject({ name: 'cat', count: 10, recall: 0.8, precision: 8 / 12 });
    expect(cat?.f1).toBeCloseTo((2 * 0.8 * (8 / 12)) / (0.8 + 8 / 12));
  });
  it('lists the most frequent mistakes first', () => expect(topConfusions(confusion, 5)[0]).toEqual({ truth: 1, predicted: 0, count: 4 }));
  // R: binom::binom.confint(881, 1000, methods = "wilson") gives 0.8595 … 0.8996.
  it('has the Wilson interval', () => expect(wilsonHalfWidth(0.881, 1000)).toBeCloseTo(0.0215, 3));
});

it('has no mean of nothing', () => expect(meanSpread([])).toBeNull());

it('goes back from every route to itself', () => {
  for (const route of [
    { screen: 'runs' as const },
    { screen: 'run' as const, runId: 'a/b ü', tab: 'what-if' as const },
    { screen: 'compare' as const, runs: ['a', 'b'] },
  ]) {
    expect(parseRoute(formatRoute(route))).toEqual(route);
  }
});

it('matches keys with and without a modifier', () => {
  const press = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more });
  expect(matchesKeys(press('k', { ctrlKey: true }), 'Mod+K')).toBe(true);
  expect(matchesKeys(press('P', { metaKey: true, shiftKey: true }), 'Mod+Shift+P')).toBe(true);
  expect(matchesKeys(press('k'), 'Mod+K')).toBe(false);
  expect(matchesKeys(press('?', { ctrlKey: true, shiftKey: true }), 'Mod+?')).toBe(true);
});

it('writes a key press as a shortcut that fits the same press', () => {
  const press = (key: string, more = {}) => ({ key, ctrlKey: true, metaKey: false, shiftKey: false, altKey: false, ...more });
  for (const event of [press('j'), press('P', { shiftKey: true }), press('?', { shiftKey: true }), press(',')]) {
    expect(matchesKeys(event, keysOf(event) ?? '')).toBe(true);
  }
  expect(keysOf(press('Control'))).toBeNull();
});

describe('a threshold typed into the palette', () => {
  const run = { runId: 'r', status: { name: 'flowers' }, canEditThresholds: true } as unknown as ActiveRun;
  it('is offered as an edit, by sign or word, with point or comma', () => {
    for (const text of ['τ 0.8', 'tau 0,8', 'TAU = 0.8 %'])
      expect(spaced(typedEdit(run, text)[0]?.title ?? '')).toBe('Edit τ to 0.80 % on flowers');
    expect(spaced(typedEdit(run, 'zeta 5')[0]?.title ?? '')).toBe('Edit ζ to 5.00 % on flowers');
  });
  it('is not offered outside its range or for other words', () => {
    for (const text of ['tau', 'tau 0', 'tau 101', 'taurus 3', 'lr 0.1']) expect(typedEdit(run, text)).toEqual([]);
  });
  it('says why it cannot be done after the switch', () => {
    expect(typedEdit({ ...run, canEditThresholds: false } as ActiveRun, 'tau 1')[0]?.reason).toBe('only until the switch');
  });
});

it('finds actions by scattered letters, exact beginnings first', () => {
  expect(fuzzyScore('Go to Runs', 'gtr')).not.toBeNull();
  expect(fuzzyScore('Go to Runs', 'xyz')).toBeNull();
  expect(fuzzyScore('Pause the run', 'pause')!).toBeGreaterThan(fuzzyScore('Appearance: use', 'pause') ?? -1);
});

it('takes the token out of the address and keeps it for the tab', () => {
  const session = new Map<string, string>();
  const store = {
    getItem: (key: string) => session.get(key) ?? null,
    setItem: (key: string, value: string) => void session.set(key, value),
  } as Storage;
  let address = '';
  const history = {
    replaceState(_state: unknown, _title: string, url: string) {
      address = url;
    },
  } as unknown as History;
  const at = (search: string, hash: string): Location => ({ search, hash, pathname: '/' }) as Location;
  expect(takeToken(at('?token=abc&x=1', '#/runs'), history, store)).toBe('abc');
  expect(address).toBe('/?x=1#/runs');
  expect(takeToken(at('', '#/runs'), history, store)).toBe('abc');
  expect(takeToken(at('', '#token=def'), history, store)).toBe('def');
  expect(address).toBe('/');
});

it('reads the short colours a minifier writes', () => {
  expect(longHex('#fff')).toBe('#ffffff');
  expect(longHex('#0b45b5')).toBe('#0b45b5');
});
