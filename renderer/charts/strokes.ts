/** What every part of a chart's overlay draws with: text, hatching, and where a value lies. */
import type { Chart } from 'chart.js';
import type { ChartTheme } from './theme.ts';

export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** The pixel column of an x value. */
export function xPixel(chart: Chart, value: number): number {
  return chart.scales.x?.getPixelForValue(value) ?? 0;
}

/** A canvas font at the page's text size. */
export function font({ font: family, scale }: ChartTheme, pixels: number, weight = 400): string {
  return `${weight} ${pixels * scale}px ${family}`;
}

/** 45° lines, `gap` pixels apart, clipped to the rectangle. */
export function hatch(ctx: CanvasRenderingContext2D, { left, right, top, bottom }: Area, colour: string, gap: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  const height = bottom - top;
  for (let x = Math.floor((left - height) / gap) * gap; x < right; x += gap) {
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Text that reads on top of curves: the background goes round it. */
export function halo(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, background: string): void {
  ctx.lineWidth = 3;
  ctx.strokeStyle = background;
  ctx.lineJoin = 'round';
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
}
