import { beforeAll, describe, expect, it } from 'vitest';
import {
  formatAccuracy,
  formatAgo,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatLoss,
  formatLr,
  formatMs,
  formatOperations,
  formatParameters,
  formatPoints,
  formatRate,
  formatSpread,
  middleEllipsis,
  plain,
  setLocale,
} from '../../renderer/format.ts';

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
  ])('%s', (shown, wanted) => expect(shown).toBe(wanted));
});

it('shows a dash for what is missing', () => {
  for (const format of [formatLoss, formatAccuracy, formatChange, formatBytes, formatDuration, formatLr, formatCount, formatRate]) {
    expect(format(null)).toBe('–');
    expect(format(undefined)).toBe('–');
    expect(format(Number.NaN)).toBe('–');
  }
});

it('never rounds a change across its threshold', () => {
  expect(formatChange(0.7999, 0.8)).toBe('0.7999 %');
  expect(formatChange(0.8001, 0.8)).toBe('0.8001 %');
  expect(formatChange(0.8, 0.8)).toBe('0.80 %');
  expect(formatChange(0.78, 0.8)).toBe('0.78 %');
});

it('says infinity in words a reader knows', () => {
  expect(formatChange('inf')).toBe('∞ %');
  expect(formatLoss(Number.POSITIVE_INFINITY)).toBe('∞');
});

it('carries a full hour over when minutes round up', () => {
  expect(formatDuration(2 * 3600 - 10)).toBe('2 h');
});

it('tells how long ago', () => {
  const now = Date.parse('2026-11-23T08:22:00Z');
  expect(formatAgo('2026-11-23T08:00:00Z', now)).toBe('22 min ago');
  expect(formatAgo('2026-11-20T08:00:00Z', now)).toBe('3 d ago');
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
