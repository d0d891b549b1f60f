/** What moves with the pointer: brush and crosshair with a dot on every curve, on a canvas over the curves so that these stay as they are. */
import type { Chart } from 'chart.js';
import { type LineModel, scaleOf } from './model.ts';
import { nearest } from './series.ts';
import { xPixel } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

export interface CursorMarks {
  /** Shared crosshair, in x units; null hides it. */
  cursor: number | null;
  /** Brush being dragged, in x units. */
  brush: [number, number] | null;
}

/** An empty canvas of the size of its box, scaled to its pixels; null where there is nothing to see. */
export function clearedContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  const ctx = canvas.getContext('2d');
  const { clientWidth, clientHeight } = canvas;
  if (!ctx || clientWidth === 0) return null;
  const ratio = window.devicePixelRatio;
  // Setting a size clears the canvas and all that belongs to it.
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  ctx.scale(ratio, ratio);
  return ctx;
}

export function drawCursorMarks(
  canvas: HTMLCanvasElement,
  chart: Chart,
  { model, theme, cursor, brush }: CursorMarks & { model: LineModel; theme: ChartTheme },
): void {
  const ctx = clearedContext(canvas);
  if (!ctx) return;
  if (brush) drawBrush(ctx, chart, brush, theme);
  if (cursor !== null) drawCursor(ctx, chart, cursor, { model, theme });
}

function drawBrush(ctx: CanvasRenderingContext2D, chart: Chart, brush: [number, number], { colour }: ChartTheme): void {
  const { top, bottom } = chart.chartArea;
  const [a, b] = [xPixel(chart, brush[0]), xPixel(chart, brush[1])];
  ctx.globalAlpha = 0.15;
  ctx.fillStyle = colour.accent;
  ctx.fillRect(Math.min(a, b), top, Math.abs(b - a), bottom - top);
  ctx.globalAlpha = 1;
}

function drawCursor(
  ctx: CanvasRenderingContext2D,
  chart: Chart,
  cursor: number,
  { model, theme }: { model: LineModel; theme: ChartTheme },
): void {
  const { chartArea: area } = chart;
  const x = Math.round(xPixel(chart, cursor)) + 0.5;
  if (x < area.left || x > area.right) return;
  ctx.strokeStyle = theme.colour.fg;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(x, area.top);
  ctx.lineTo(x, area.bottom);
  ctx.stroke();
  for (const series of model.series) {
    if (series.raw || series.abandoned) continue;
    const index = nearest(series.data.xs, cursor);
    const value = series.data.ys[index];
    const scale = chart.scales[scaleOf(series)];
    if (value === null || value === undefined || Number.isNaN(value) || !scale) continue;
    ctx.fillStyle = theme.colour[series.colour];
    ctx.beginPath();
    ctx.arc(xPixel(chart, series.data.xs[index] as number), scale.getPixelForValue(value), 3, 0, 2 * Math.PI);
    ctx.fill();
  }
}
