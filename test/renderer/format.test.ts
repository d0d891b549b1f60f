import { beforeAll, describe, expect, it } from 'vitest';
import {
  formatAccuracy,
  formatAgo,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatEvery,
  formatIn,
  formatInterval,
  formatLoss,
  formatLr,
  formatMs,
  formatOperations,
  formatParameters,
  formatPercent,
  formatPoints,
  formatRate,
  formatSpread,
  formatSteps,
  middleEllipsis,
  plain,
  setLocale,
  unbroken,
  withoutUnit,
} from '../../renderer/format.ts';
import { spaced } from './spaced.ts';

beforeAll(() => setLocale('en-US'));

describe('the table of product.md section 3', () => {
  it.each([
    [formatLoss(0.41234), '0.4123'],
    [formatLoss(12.3456), '12.35'],
    [formatLoss(41.2), '41.20'],
    [formatAccuracy(0.881), '88.1 %'],
    [formatPoints(0.003), '+0.3 points'],
    [formatPoints(-0.003), '−0.3 points'],
    [formatChange(0.78), '0.78 %'],
    [formatLr(3e-4), '3.0e-4'],
    [formatCount(3100), '3,100'],
    [formatBytes(2.31 * 2 ** 30), '2.31 GiB'],
    [formatBytes(840 * 2 ** 20), '840 MiB'],
    [formatBytes(81 * 2 ** 30), '81.00 GiB'],
    [formatRate(1240), '1,240 img/s'],
    [formatRate(35.72), '35.7 img/s'],
    [formatMs(413.2), '413 ms'],
    [formatParameters(5_362_762), '5.36 M'],
    [formatParameters(794_000), '794 k'],
    [formatDuration(45), '45 s'],
    [formatDuration(12 * 60), '12 min'],
    [formatDuration(6000), '1 h 40 min'],
    [formatDuration(51 * 3600), '2 d 3 h'],
    [formatSpread({ mean: 0.884, std: 0.002, n: 3 }, formatAccuracy), '88.4 ± 0.2 % (n = 3)'],
    [formatSpread({ mean: 5400, std: 60, n: 2 }, formatDuration), '1 h 30 ± 1 min (n = 2)'],
    [formatSpread({ mean: 1240, std: 3, n: 2 }, formatRate), '1,240 ± 3 img/s (n = 2)'],
    [formatSpread({ mean: 5.31 * 2 ** 30, std: 3 * 2 ** 20, n: 2 }, formatBytes), '5.31 ± 0.00 GiB (n = 2)'],
    [formatSpread({ mean: 22 * 60, std: 4, n: 2 }, formatDuration), '22 ± 0 min (n = 2)'],
    [formatSpread({ mean: 7200, std: 3900, n: 2 }, formatDuration), '2 h ± 65 min (n = 2)'],
    [formatSpread({ mean: 12, std: 4.5, n: 2 }, formatDuration), '12 ± 5 s (n = 2)'],
    [formatOperations(1.09e9), '1.09 G'],
    [formatOperations(857_480_000), '857 M'],
    [formatChange(0.0214), '0.021 %'],
    [formatChange(0.00214), '0.0021 %'],
    [formatChange(0), '0.00 %'],
    [formatSpread({ mean: 4200, std: null, n: 1 }, formatCount), '4,200 (n = 1)'],
  ])('%s', (shown, wanted) => expect(spaced(shown)).toBe(wanted));
});

it('lets no line end between a figure and its unit', () => {
  const shown = [
    formatAccuracy(0.881),
    formatPoints(0.003),
    formatChange(0.78),
    formatChange('inf'),
    formatPercent(11.4),
    formatRate(1240),
  ];
  const more = [formatMs(413), formatBytes(2 ** 31), formatParameters(5e6), formatOperations(1e9), formatDuration(45), formatSteps(400)];
  for (const text of [...shown, ...more, formatSpread({ mean: 0.884, std: 0.002, n: 3 }, formatAccuracy).slice(0, 12)]) {
    expect(text).toContain('\u00a0');
    expect(text).not.toContain(' ');
  }
  // Two units may stand on two lines, each with its figure.
  expect(formatDuration(6000)).toBe('1\u00a0h 40\u00a0min');
});

it('gives a figure without its unit, and an interval that is never shown as none', () => {
  expect(withoutUnit(formatRate(1240))).toBe('1,240');
  expect(withoutUnit(formatChange(null))).toBe('–');
  expect(spaced(formatInterval(0.881, 0.006))).toBe('88.1 ± 0.6 %');
  expect(spaced(formatInterval(0.9394, 0.0004))).toBe('93.94 ± 0.04 %');
});

it('keeps figures with their units and names in a sentence', () => {
  const _ = '\u00a0';
  expect(unbroken('τ 1 % → 0.8 %')).toBe(`τ${_}1${_}% → 0.8${_}%`);
  expect(unbroken('loss 5.97 % > ζ 5.00 %.')).toBe(`loss 5.97${_}% >${_}ζ${_}5.00${_}%.`);
  expect(unbroken('paused 4 min at step 3,100')).toBe(`paused 4${_}min at step${_}3,100`);
  expect(unbroken('6 of 6 families below τ in 2 of 2 comparisons')).toBe('6 of 6 families below τ in 2 of 2 comparisons');
  expect(unbroken('2 days, 3 stepsisters')).toBe('2 days, 3 stepsisters');
});

it('shows a dash for what is missing', () => {
  for (const format of [formatLoss, formatAccuracy, formatChange, formatBytes, formatDuration, formatLr, formatCount, formatRate]) {
    expect(format(null)).toBe('–');
    expect(format(undefined)).toBe('–');
    expect(format(Number.NaN)).toBe('–');
  }
});

it('never rounds a change across its threshold', () => {
  expect(spaced(formatChange(0.7999, 0.8))).toBe('0.7999 %');
  expect(spaced(formatChange(0.8001, 0.8))).toBe('0.8001 %');
  expect(spaced(formatChange(0.8, 0.8))).toBe('0.80 %');
  expect(spaced(formatChange(0.78, 0.8))).toBe('0.78 %');
});

it('says infinity in words a reader knows', () => {
  expect(spaced(formatChange('inf'))).toBe('∞ %');
  expect(formatLoss(Number.POSITIVE_INFINITY)).toBe('∞');
});

it('says a change beyond all thresholds by its magnitude', () => {
  expect(spaced(formatChange(99_999, 0.8))).toBe('99,999 %');
  expect(spaced(formatChange(2.311e13, 0.8))).toBe('2.3e13 %');
});

it('says how often', () => {
  expect(spaced(formatEvery(250))).toBe('every 250 steps');
  expect(spaced(formatEvery('2ep'))).toBe('every 2 epochs');
  expect(formatEvery('1ep')).toBe('every epoch');
});

it('carries a full hour over when minutes round up', () => {
  expect(spaced(formatDuration(2 * 3600 - 10))).toBe('2 h');
});

it('tells how long ago', () => {
  const now = Date.parse('2026-11-23T08:22:00Z');
  expect(spaced(formatAgo('2026-11-23T08:00:00Z', now))).toBe('22 min ago');
  expect(spaced(formatAgo('2026-11-20T08:00:00Z', now))).toBe('3 d ago');
});

it('tells how long until, never less than it is', () => {
  const now = Date.parse('2026-11-23T08:00:00Z');
  const until = (minutes: number): string => spaced(formatIn(new Date(now + minutes * 60_000).toISOString(), now));
  expect([until(30 * 1440), until(1441), until(1440), until(61), until(0.5), until(0)]).toEqual([
    'in 30 d',
    'in 2 d',
    'in 24 h',
    'in 2 h',
    'in 1 min',
    'soon',
  ]);
});

it('copies with a dot whatever the locale', () => {
  setLocale('de-DE');
  expect(formatLoss(0.41234)).toBe('0,4123');
  expect(plain(0.41234)).toBe('0.41234');
  setLocale('en-US');
});

it('keeps both ends of a long name', () => {
  expect(middleEllipsis('a-very-long-run-name', 11)).toBe('a-ver…-name');
  expect(middleEllipsis('short', 11)).toBe('short');
});
