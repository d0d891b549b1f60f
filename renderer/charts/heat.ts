/** Layer × time: which value sits in which cell, and the logarithmic colour scale of changes. Pure; heatmap.ts draws it. */
import { mix } from './ramp.ts';
import { lowerBound } from './series.ts';

export interface HeatRow {
  label: string;
  /** One value per column, percent; null or NaN is a missing one. */
  values: ArrayLike<number | null>;
}

export interface HeatModel {
  /** Top row first. */
  rows: readonly HeatRow[];
  /** x of every column, in the run's x units. */
  columns: ArrayLike<number>;
  /** Shown stretch of x, shared with the charts. */
  xRange: [number, number];
  /** Columns from this index on are after the freeze and hatched; null when there is none. */
  frozenFrom: number | null;
  switchAt: number | null;
  tau: number;
  /** Ends of the colour scale, percent, above 0. */
  low: number;
  high: number;
  xLabel: string;
  formatX: (value: number) => string;
  formatValue: (value: number) => string;
  /** What a cell tells of, for its reading. */
  nameOf: (row: number, column: number) => string;
  summary: string;
}

const STEPS = 32;

/** Position of a value on the logarithmic scale, 0…1. Zero lies at the low end, infinity at the high one. */
export function position(value: number, low: number, high: number): number {
  if (value <= low) return 0;
  if (value >= high) return 1;
  return Math.log(value / low) / Math.log(high / low);
}

let mixed: { from: string; to: string; colours: readonly string[] } | null = null;

/** 32 colours from small to large change. Kept until the theme changes: a map asks once per cell. */
export function heatColours(from: string, to: string): readonly string[] {
  if (mixed?.from !== from || mixed.to !== to) {
    mixed = { from, to, colours: Array.from({ length: STEPS }, (_, i) => mix(from, to, i / (STEPS - 1))) };
  }
  return mixed.colours;
}

/** First and one past the last column on show; never empty while there are columns. */
export function shownColumns({ columns, xRange }: Pick<HeatModel, 'columns' | 'xRange'>): [number, number] {
  const first = Math.min(lowerBound(columns, xRange[0]), Math.max(0, columns.length - 1));
  let last = lowerBound(columns, xRange[1]);
  if (columns[last] === xRange[1]) last++;
  return [first, Math.min(columns.length, Math.max(last, first + 1))];
}

/** What ImageData is made of; that itself exists in a page only. */
export interface Picture {
  data: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  height: number;
}

/**
 * The cells as one small picture: a pixel per row and column, at most `width` columns, of which the largest value stays. Drawn enlarged,
 * because a rectangle per cell of 24 layers × 5,000 snapshots takes a tenth of a second. Missing values stay transparent.
 */
export function paintCells(model: HeatModel, width: number, colours: readonly string[]): Picture {
  const [first, last] = shownColumns(model);
  const count = Math.max(1, last - first);
  const columns = Math.min(count, Math.max(1, width));
  const height = Math.max(1, model.rows.length);
  const data = new Uint8ClampedArray(4 * columns * height);
  const pixels = new DataView(data.buffer);
  const opaque = colours.map((colour) => Number.parseInt(`${colour.slice(1)}ff`, 16));
  model.rows.forEach(({ values }, row) => {
    for (let column = 0; column < columns; column++) {
      const from = first + Math.floor((column * count) / columns);
      const to = first + Math.floor(((column + 1) * count) / columns);
      const value = largest(values, from, to);
      if (Number.isNaN(value)) continue;
      const colour = opaque[Math.round(position(value, model.low, model.high) * (colours.length - 1))] as number;
      pixels.setUint32(4 * (row * columns + column), colour);
    }
  });
  return { data, width: columns, height };
}

function largest(values: ArrayLike<number | null>, from: number, to: number): number {
  let top = Number.NaN;
  for (let i = from; i < to; i++) {
    const value = values[i] ?? Number.NaN;
    if (!(value <= top)) top = Number.isNaN(value) ? top : value;
  }
  return top;
}

/** Ones and threes of a decade round the values, so that the scale keeps still while a run goes on; never empty. */
export function scaleEnds(rows: readonly HeatRow[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const { values } of rows) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? null;
      if (value === null || !Number.isFinite(value) || value <= 0) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (high === 0) return [0.01, 10];
  const ends: [number, number] = [roundBelow(low), roundAbove(high)];
  return ends[0] < ends[1] ? ends : [ends[0], ends[0] * 10];
}

function roundBelow(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return value >= 3 * decade ? 3 * decade : decade;
}

function roundAbove(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return ([1, 3].find((ones) => value <= ones * decade) ?? 10) * decade;
}
