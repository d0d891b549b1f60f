/** A tick or a cross per comparison under the plot, thinned where they would touch, but never past a change of the verdict. */
import type { Chart } from 'chart.js';
import type { LineModel } from './model.ts';
import { lowerBound } from './series.ts';
import { font } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

/** Room for a mark beneath the axis line, at a text size of 100 %. */
export const VERDICT_LANE = 12;
const GAP = 11;

export function drawVerdicts(chart: Chart, { model, theme }: { model: LineModel; theme: ChartTheme }): void {
  const scale = chart.scales.x;
  if (!model.verdicts || !scale) return;
  const { xs, ok } = model.verdicts;
  const { ctx, chartArea: area } = chart;
  const first = lowerBound(xs, scale.min);
  let last = first;
  while (last < xs.length && (xs[last] as number) <= scale.max && ok(last) !== null) last++;
  const pixel = (i: number): number => scale.getPixelForValue(xs[i] as number);
  ctx.save();
  ctx.font = font(theme, 11, 600);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  for (const i of verdictMarks([first, last], ok, pixel, GAP * theme.scale)) {
    ctx.fillStyle = ok(i) ? theme.colour.ok : theme.colour['fg-3'];
    ctx.fillText(ok(i) ? '✓' : '✗', pixel(i), area.bottom + (VERDICT_LANE / 2 + 1) * theme.scale);
  }
  ctx.restore();
}

/**
 * Which comparisons of `[first, last)` are marked: wherever the verdict changes, the newest change first where changes crowd, and between
 * those as many as fit `gap` pixels apart.
 */
export function verdictMarks(
  [first, last]: readonly [number, number],
  ok: (index: number) => boolean | null,
  pixel: (index: number) => number,
  gap: number,
): number[] {
  const changes: number[] = [];
  let next = Number.POSITIVE_INFINITY;
  for (let i = last - 1; i >= first; i--) {
    if (i > first && ok(i) === ok(i - 1)) continue;
    if (next - pixel(i) < gap) continue;
    next = pixel(i);
    changes.unshift(i);
  }
  return changes.flatMap((start, at) => {
    const end = changes[at + 1] ?? last;
    const limit = end < last ? pixel(end) - gap : Number.POSITIVE_INFINITY;
    const marks = [start];
    for (let i = start + 1; i < end && pixel(i) <= limit; i++) if (pixel(i) - pixel(marks.at(-1) as number) >= gap) marks.push(i);
    return marks;
  });
}
