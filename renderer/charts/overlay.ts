/**
 * What chart.js does not draw: phases, event flags, thresholds, verdicts, end labels, the best value and axis titles. One plugin on the canvas
 * instead of the annotation plugin, because flags must merge when crowded and labels must not collide. What moves with the pointer: cursorMarks.ts.
 */
import type { Chart, Plugin } from 'chart.js';
import { drawBest } from './bestMark.ts';
import { drawEndLabels } from './endLabels.ts';
import { drawFlags } from './flags.ts';
import type { LineModel } from './model.ts';
import { font, hatch, xPixel } from './strokes.ts';
import type { ChartTheme } from './theme.ts';
import { drawVerdicts } from './verdictMarks.ts';

export interface OverlayState {
  model: LineModel;
  theme: ChartTheme;
  /** Step of the events picked out. */
  event: number | null;
}

export function overlayPlugin(read: () => OverlayState): Plugin<'line'> {
  return {
    id: 'overlay',
    beforeDatasetsDraw(chart) {
      drawPhases(chart, read());
    },
    afterDatasetsDraw(chart) {
      const state = read();
      drawFlags(chart, state);
      drawThresholds(chart, state);
      drawVerdicts(chart, state);
      drawBest(chart, state);
      drawEndLabels(chart, state);
      drawAxisTitles(chart, state);
    },
  };
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
