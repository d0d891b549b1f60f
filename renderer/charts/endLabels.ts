/** The names of curves at their last values, right of the plot. */
import type { Chart } from 'chart.js';
import { type LineModel, type LineSeries, scaleOf } from './model.ts';
import { lastDrawn } from './series.ts';
import { font } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

interface EndLabel {
  text: string;
  colour: string;
  y: number;
}

/** Labels at the last value of each curve, pushed apart so that they do not overlap. */
export function drawEndLabels(chart: Chart, { model, theme }: { model: LineModel; theme: ChartTheme }): void {
  const { ctx, chartArea: area } = chart;
  // A right axis takes the place of the labels; such a chart has its keys in the panel's title line.
  if (model.rightLabel) return;
  const labels = model.series.flatMap((series) => endLabel(chart, series, theme));
  ctx.save();
  ctx.font = font(theme, 11, 500);
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  for (const { text, colour, y } of spread(labels, area.top + 5, area.bottom - 5, 12 * theme.scale)) {
    ctx.fillStyle = colour;
    ctx.fillText(text, area.right + 5, y);
  }
  ctx.restore();
}

function endLabel(chart: Chart, series: LineSeries, theme: ChartTheme): EndLabel[] {
  const scale = chart.scales[scaleOf(series)];
  const last = lastDrawn(series.data.ys);
  if (series.unlabelled || series.raw || last < 0 || !scale) return [];
  const y = scale.getPixelForValue(series.data.ys[last] as number);
  return [{ text: series.label, colour: theme.colour[series.colour], y }];
}

/** Moves items apart to at least `gap`, keeping their order and staying inside as long as there is room. */
export function spread<T extends { y: number }>(items: readonly T[], top: number, bottom: number, gap: number): T[] {
  const placed = [...items].sort((a, b) => a.y - b.y).map((item) => ({ ...item, y: Math.min(bottom, Math.max(top, item.y)) }));
  for (let i = 1; i < placed.length; i++) {
    const item = placed[i] as T;
    item.y = Math.max(item.y, (placed[i - 1] as T).y + gap);
  }
  let limit = bottom;
  for (let i = placed.length - 1; i >= 0; i--) {
    const item = placed[i] as T;
    item.y = Math.min(item.y, limit);
    limit = item.y - gap;
  }
  return placed;
}
