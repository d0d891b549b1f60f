/** Layer × time: which value sits in which cell, and the logarithmic colour scale of changes. Pure; Heatmap.svelte draws it. */
import { mix } from './ramp.ts';

export interface HeatRow {
  label: string;
  /** One value per column, percent; null is a missing one. */
  values: readonly (number | null)[];
}

export interface HeatModel {
  /** Top row first. */
  rows: readonly HeatRow[];
  /** x of every column, in the run's x units. */
  columns: readonly number[];
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
  summary: string;
}

const STEPS = 32;

/** Position of a value on the logarithmic scale, 0…1. Zero lies at the low end, infinity at the high one. */
export function position(value: number, low: number, high: number): number {
  if (value <= low) return 0;
  if (value >= high) return 1;
  return Math.log(value / low) / Math.log(high / low);
}

/** 32 colours from small to large change. */
export function heatColours(from: string, to: string): string[] {
  return Array.from({ length: STEPS }, (_, i) => mix(from, to, i / (STEPS - 1)));
}

export function colourOf(value: number, low: number, high: number, colours: readonly string[]): string {
  return colours[Math.round(position(value, low, high) * (colours.length - 1))] as string;
}

/** Round decades round the values, so that the scale keeps still while a run goes on; never empty. */
export function scaleEnds(rows: readonly HeatRow[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const { values } of rows) {
    for (const value of values) {
      if (value === null || !Number.isFinite(value) || value <= 0) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (high === 0) return [0.01, 10];
  const decade = (value: number, round: (x: number) => number): number => 10 ** (round(Math.log10(value) * 2) / 2);
  const ends: [number, number] = [decade(low, Math.floor), decade(high, Math.ceil)];
  return ends[0] < ends[1] ? ends : [ends[0], ends[0] * 10];
}
