/**
 * What chart.js does not draw: phases, event flags, thresholds, verdicts, crosshair, end labels, the best value and axis titles. One plugin on
 * the canvas instead of the annotation plugin, because flags must merge when crowded and labels must not collide.
 */
import type { Chart, Plugin } from 'chart.js';
import { drawBest } from './bestMark.ts';
import type { LineModel, LineSeries, Marker } from './model.ts';
import { lastDrawn, nearest } from './series.ts';
import { font, hatch, xPixel } from './strokes.ts';
import type { ChartTheme } from './theme.ts';
import { drawVerdicts } from './verdictMarks.ts';

export interface OverlayState {
  model: LineModel;
  theme: ChartTheme;
  /** Shared crosshair, in x units; null hides it. */
  cursor: number | null;
  /** Step of the events picked out. */
  event: number | null;
  /** Brush being dragged, in x units. */
  brush: [number, number] | null;
}

const FLAG = 13;

export function overlayPlugin(read: () => OverlayState): Plugin<'line'> {
  return {
    id: 'overlay',
    beforeDatasetsDraw(chart) {
      const state = read();
      drawPhases(chart, state);
      drawBrush(chart, state);
    },
    afterDatasetsDraw(chart) {
      const state = read();
      drawMarkers(chart, state);
      drawThresholds(chart, state);
      drawVerdicts(chart, state);
      drawCursor(chart, state);
      drawBest(chart, state);
      drawEndLabels(chart, state);
      drawAxisTitles(chart, state);
    },
  };
}

/** The axis that a curve is drawn on. */
export function scaleOf({ right, ownScale }: LineSeries): 'y' | 'right' | 'own' {
  return ownScale ? 'own' : right ? 'right' : 'y';
}

function drawPhases(chart: Chart, { model, theme }: OverlayState): void {
  const { ctx, chartArea: area } = chart;
  for (const span of model.phases) {
    if (span.phase === 'full') continue;
    const left = Math.max(area.left, xPixel(chart, span.from));
    const right = Math.min(area.right, xPixel(chart, span.to));
    if (right <= left) continue;
    ctx.save();
    ctx.globalAlpha = span.phase === 'lora' ? 0.07 : 0.16;
    if (span.phase === 'lora') {
      ctx.fillStyle = theme.colour.accent;
      ctx.fillRect(left, area.top, right - left, area.bottom - area.top);
    } else {
      hatch(ctx, { left, right, top: area.top, bottom: area.bottom }, theme.colour['fg-3'], 6);
    }
    ctx.restore();
  }
}

function drawBrush(chart: Chart, { brush, theme }: OverlayState): void {
  if (!brush) return;
  const { ctx, chartArea: area } = chart;
  const [a, b] = [xPixel(chart, brush[0]), xPixel(chart, brush[1])];
  ctx.save();
  ctx.globalAlpha = 0.15;
  ctx.fillStyle = theme.colour.accent;
  ctx.fillRect(Math.min(a, b), area.top, Math.abs(b - a), area.bottom - area.top);
  ctx.restore();
}

export interface Flag {
  at: number;
  text: string;
  markers: Marker[];
}

/** Markers closer than 12 px become one flag with a count. */
export function mergeMarkers(markers: readonly Marker[], pixel: (x: number) => number): Flag[] {
  const flags: Flag[] = [];
  for (const marker of [...markers].sort((a, b) => a.x - b.x)) {
    const at = pixel(marker.x);
    const last = flags.at(-1);
    if (last && at - last.at < 12) {
      last.markers.push(marker);
      last.text = String(last.markers.length);
    } else {
      flags.push({ at, text: marker.letter, markers: [marker] });
    }
  }
  return flags;
}

/** The marker whose flag lies under a pixel; of merged ones the first. */
export function flagUnder(chart: Chart, markers: readonly Marker[], x: number, y: number): Marker | null {
  if (y > chart.chartArea.top || y < chart.chartArea.top - 2 * FLAG) return null;
  const flags = mergeMarkers(markers, (value) => xPixel(chart, value));
  return flags.find(({ at }) => Math.abs(at - x) <= FLAG)?.markers[0] ?? null;
}

function drawMarkers(chart: Chart, { model, theme, event }: OverlayState): void {
  const { ctx, chartArea: area } = chart;
  ctx.save();
  ctx.font = font(theme, 9, 600);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  for (const { at, text, markers } of mergeMarkers(model.markers, (x) => xPixel(chart, x))) {
    if (at < area.left || at > area.right) continue;
    const x = Math.round(at) + 0.5;
    const isChosen = markers.some(({ step }) => step === event);
    ctx.strokeStyle = theme.colour[isChosen ? 'accent' : 'fg-3'];
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(x, area.top);
    ctx.lineTo(x, area.bottom);
    ctx.stroke();
    ctx.fillStyle = theme.colour[isChosen ? 'accent' : 'fg-2'];
    ctx.fillRect(x - FLAG / 2, area.top - FLAG, FLAG, FLAG);
    ctx.fillStyle = theme.colour.surface;
    ctx.fillText(text, x, area.top - FLAG / 2 + 0.5);
  }
  ctx.restore();
}

function drawThresholds(chart: Chart, { model, theme }: OverlayState): void {
  const { ctx, chartArea: area } = chart;
  const y = chart.scales.y;
  if (!y) return;
  ctx.save();
  ctx.lineWidth = 1.5;
  for (const { value, draft } of model.thresholds) {
    line(value, draft === null ? 1 : 0.4);
    if (draft !== null) line(draft, 1);
  }
  ctx.restore();

  function line(value: number, alpha: number): void {
    const at = y?.getPixelForValue(value) ?? 0;
    if (at < area.top - 1 || at > area.bottom + 1) return;
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = theme.colour.fg;
    ctx.setLineDash([10, 5]);
    ctx.beginPath();
    ctx.moveTo(area.left, at);
    ctx.lineTo(area.right, at);
    ctx.stroke();
  }
}

function drawCursor(chart: Chart, { model, theme, cursor }: OverlayState): void {
  if (cursor === null) return;
  const { ctx, chartArea: area } = chart;
  const x = Math.round(xPixel(chart, cursor)) + 0.5;
  if (x < area.left || x > area.right) return;
  ctx.save();
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
  ctx.restore();
}

interface EndLabel {
  text: string;
  colour: string;
  y: number;
}

/** Labels at the last value of each curve, pushed apart so that they do not overlap. */
function drawEndLabels(chart: Chart, { model, theme }: OverlayState): void {
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

function drawAxisTitles(chart: Chart, { model, theme }: OverlayState): void {
  const { ctx, chartArea: area, width, height } = chart;
  ctx.save();
  ctx.font = font(theme, 11);
  ctx.fillStyle = theme.colour['fg-3'];
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  ctx.fillText(model.yLabel, 2, 1);
  ctx.textAlign = 'right';
  if (model.rightLabel) ctx.fillText(model.rightLabel, width - 2, 1);
  // Under the value ticks, where no x tick can be in the way.
  ctx.textBaseline = 'bottom';
  ctx.textAlign = 'left';
  ctx.fillText(model.xLabel, 2, height - 2);
  ctx.strokeStyle = theme.colour['control-line'];
  ctx.beginPath();
  ctx.moveTo(area.left, area.bottom + 0.5);
  ctx.lineTo(area.right, area.bottom + 0.5);
  ctx.stroke();
  ctx.restore();
}
