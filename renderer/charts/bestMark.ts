/** The best value of a chart: a ring, and its label where neither curve nor flag line runs through it. */
import type { Chart } from 'chart.js';
import { type Box, freePlace, type Pixel } from './labelPlace.ts';
import type { LineModel } from './model.ts';
import { font, halo, xPixel } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

const RING = 5;
const GAP = 8;

export function drawBest(chart: Chart, { model, theme }: { model: LineModel; theme: ChartTheme }): void {
  const scale = model.best?.right ? chart.scales.right : chart.scales.y;
  if (!model.best || !scale) return;
  const { ctx, chartArea: area } = chart;
  const at = { x: xPixel(chart, model.best.x), y: scale.getPixelForValue(model.best.y) };
  if (at.x < area.left || at.x > area.right) return;
  ctx.save();
  ctx.strokeStyle = theme.colour.validation;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.arc(at.x, at.y, RING, 0, 2 * Math.PI);
  ctx.stroke();
  ctx.font = font(theme, 11, 500);
  ctx.fillStyle = theme.colour.fg;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  const size = { width: ctx.measureText(model.best.label).width, height: 14 * theme.scale };
  const place = freePlace(
    placesRound(at, size, at.x > (area.left + area.right) / 2),
    [...curvesOf(chart), ...flagLines(chart, model)],
    area,
  );
  if (place) halo(ctx, model.best.label, place.left, (place.top + place.bottom) / 2, theme.colour.surface);
  ctx.restore();
}

/** Nearest first: below and above, on the side with more room, then farther away, then on the other side. */
function placesRound({ x, y }: Pixel, { width, height }: { width: number; height: number }, leftwards: boolean): Box[] {
  const box = (isLeft: boolean, middle: number): Box => {
    const left = isLeft ? x - GAP - width : x + GAP;
    return { left, right: left + width, top: middle - height / 2, bottom: middle + height / 2 };
  };
  const distances = [1, 2, 3, 4, 5].map((lines) => lines * height);
  return [leftwards, !leftwards].flatMap((isLeft) =>
    distances.flatMap((distance) => [box(isLeft, y + distance), box(isLeft, y - distance)]),
  );
}

/** The curves as they are drawn, thinned already. */
function curvesOf(chart: Chart): Pixel[][] {
  return chart.data.datasets.map((_, index) => chart.getDatasetMeta(index).data.map(({ x, y }) => ({ x, y })));
}

function flagLines(chart: Chart, { markers }: LineModel): Pixel[][] {
  const { top, bottom } = chart.chartArea;
  return markers.map((marker) => {
    const x = xPixel(chart, marker.x);
    return [
      { x, y: top },
      { x, y: bottom },
    ];
  });
}
