// @vitest-environment ../support/pageEnvironment.ts
import { describe, expect, it } from 'vitest';
import type { LineModel } from '../../renderer/charts/model.ts';
import { lineChartSvg } from '../../renderer/charts/svg.ts';
import type { ChartTheme } from '../../renderer/charts/theme.ts';
import { separated } from '../../renderer/components/tableModel.ts';
import { fileName } from '../../renderer/saveFile.ts';

const theme = { colour: new Proxy({}, { get: () => '#112233' }) } as unknown as ChartTheme;
const model: LineModel = {
  yLabel: 'loss <nats>',
  xLabel: 'step',
  series: [{ key: 'a', label: 'train & val', colour: 'accent', data: { xs: [0, 50, 75, 100], ys: [4, null, 2, 1] }, format: String }],
  xRange: [0, 100],
  logY: false,
  formatX: String,
  formatTick: String,
  thresholds: [],
  markers: [{ x: 50, step: 50, letter: 'S', label: 'switch' }],
  phases: [],
  summary: '',
};

describe('a chart as SVG', () => {
  const svg = lineChartSvg('Loss', model, theme);
  const path = /<path d="(M[^"]*)" fill="none"/.exec(svg)?.[1] ?? '';

  it('holds titles, units and names, escaped', () => {
    for (const words of ['<title>Loss</title>', 'loss &#60;nats&#62;', 'train &#38; val', '>step</text>', '>S</text>'])
      expect(svg).toContain(words);
  });

  it('starts a new stroke after a gap and stays inside the plot', () => {
    expect(path.match(/M/g)).toHaveLength(2);
    const numbers = [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
    expect(numbers).toHaveLength(3);
    for (const [x, y] of numbers) {
      expect(x).toBeGreaterThanOrEqual(64);
      expect(x).toBeLessThanOrEqual(570);
      expect(y).toBeGreaterThanOrEqual(36);
      expect(y).toBeLessThanOrEqual(356);
    }
  });

  it('falls where the values fall', () => {
    const ys = [...path.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y));
    expect(ys).toEqual([...ys].sort((a, b) => a - b));
  });
});

it('a table becomes separated text with plain numbers, and cells with separators are quoted', () => {
  const row = [
    { text: '1,000', copy: '1000' },
    { text: 'a, "b"', copy: 'a, "b"' },
  ];
  const table = { columns: ['step', 'loss'], count: 1, row: () => row };
  expect(separated(table, ',')).toBe('step,loss\n1000,"a, ""b"""\n');
});

it('a title becomes a file name', () => expect(fileName('Loss, top-1 against τ')).toBe('loss-top-1-against-τ'));
