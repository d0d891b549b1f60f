/**
 * One chart.js instance behind four calls: create, show a model, move the marks, dispose. Chart.js sees plain arrays only; data is thinned to
 * the width of the plot; drawing happens at most once per frame and not while hidden (style.md section 9).
 */
import {
  Chart,
  type ChartConfiguration,
  type ChartDataset,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
} from 'chart.js';
import { type CursorMarks, drawCursorMarks } from './cursorMarks.ts';
import { cancelDraw, drawSoon, markSoon } from './drawing.ts';
import { flagUnder } from './flags.ts';
import { GUTTER } from './gutter.ts';
import { type LineModel, type LineSeries, type Marker, scaleOf } from './model.ts';
import { type OverlayState, overlayPlugin } from './overlay.ts';
import { extent, logTicks, niceStep, type Point, roundRange, thin } from './series.ts';
import type { ChartTheme } from './theme.ts';
import { VERDICT_LANE } from './verdictMarks.ts';

Chart.register(LineController, LineElement, PointElement, LinearScale, LogarithmicScale);

export class LineChartView {
  readonly #canvas: HTMLCanvasElement;
  readonly #marksCanvas: HTMLCanvasElement;
  /** Null until the first drawing: creating five charts at once would hold up a frame. */
  #chart: Chart<'line', Point[]> | null = null;
  readonly #state: OverlayState;
  #marks: CursorMarks = { cursor: null, brush: null };
  readonly #onLayout: () => void;
  readonly #draw = (): void => this.#drawNow();
  readonly #mark = (): void => this.#markNow();
  #held: { key: string; range: [number, number] } | null = null;

  /** `canvases`: one for the curves, one over it for the marks. `onLayout` is called after each drawing that may have moved the axes. */
  constructor(
    canvases: { curves: HTMLCanvasElement; marks: HTMLCanvasElement },
    shown: Pick<OverlayState, 'model' | 'theme'>,
    onLayout: () => void,
  ) {
    this.#canvas = canvases.curves;
    this.#marksCanvas = canvases.marks;
    this.#state = { ...shown, event: null };
    this.#onLayout = onLayout;
    drawSoon(this.#draw);
  }

  /** Shows another model or theme, or picks out an event, with the next frame. */
  show(change: Partial<OverlayState>): void {
    Object.assign(this.#state, change);
    drawSoon(this.#draw);
  }

  /** Moves crosshair or brush over the curves as they are. */
  mark(change: Partial<CursorMarks>): void {
    Object.assign(this.#marks, change);
    markSoon(this.#mark);
  }

  dispose(): void {
    cancelDraw(this.#draw);
    cancelDraw(this.#mark);
    this.#chart?.destroy();
  }

  /** The x value under a pixel of the canvas, kept inside the plot. */
  xAt(pixel: number): number {
    const { left, right } = this.#chart?.chartArea ?? { left: 0, right: 0 };
    return this.#chart?.scales.x?.getValueForPixel(Math.min(right, Math.max(left, pixel))) ?? 0;
  }

  yAt(pixel: number): number {
    return this.#chart?.scales.y?.getValueForPixel(pixel) ?? 0;
  }

  xPixel(value: number): number {
    return this.#chart?.scales.x?.getPixelForValue(value) ?? 0;
  }

  /** The pixel row of a value, kept inside the plot. */
  yPixel(value: number): number {
    const { top, bottom } = this.#chart?.chartArea ?? { top: 0, bottom: 0 };
    return Math.min(bottom, Math.max(top, this.#chart?.scales.y?.getPixelForValue(value) ?? 0));
  }

  /** The event flag under a pixel. */
  markerAt(x: number, y: number): Marker | null {
    return this.#chart && flagUnder(this.#chart, this.#state.model.markers, x, y);
  }

  get plotRight(): number {
    return this.#chart?.chartArea.right ?? 0;
  }

  #drawNow(): void {
    if (document.hidden || this.#canvas.clientWidth === 0) return;
    if (!this.#chart) {
      this.#chart = new Chart(
        this.#canvas,
        configuration(() => this.#state),
      );
      // Creating one and filling it take a frame each.
      drawSoon(this.#draw);
      return;
    }
    this.#update(this.#chart);
    this.#onLayout();
    markSoon(this.#mark);
  }

  #markNow(): void {
    if (this.#chart) drawCursorMarks(this.#marksCanvas, this.#chart, { ...this.#state, ...this.#marks });
  }

  #update(chart: Chart<'line', Point[]>): void {
    const { model, theme } = this.#state;
    const width = Math.min(2000, this.#canvas.clientWidth);
    chart.data.datasets = model.series.map((series) => dataset(series, model, theme, width));
    this.#applyScales(chart, model, theme);
    chart.update('none');
  }

  #applyScales(chart: Chart<'line', Point[]>, model: LineModel, theme: ChartTheme): void {
    const scales = chart.options.scales;
    const { x, y, right, own } = scales ?? {};
    if (!x || !y || !right || !own) return;
    const tick = { color: theme.colour['fg-3'], font: { size: 11 * theme.scale, family: theme.font } };
    x.min = model.xRange[0];
    x.max = model.xRange[1];
    // The verdicts stand between the axis and its figures.
    Object.assign(x.ticks ?? {}, tick, { padding: model.verdicts ? VERDICT_LANE * theme.scale - 4 : 3 });
    Object.assign(y.ticks ?? {}, tick);
    Object.assign(right.ticks ?? {}, tick);
    Object.assign(y.grid ?? {}, { color: theme.colour.grid });
    (y as { type: string }).type = model.logY ? 'logarithmic' : 'linear';
    if (y.ticks) (y.ticks as { includeBounds?: boolean }).includeBounds = !model.logY;
    const range = this.#valueRange(model);
    y.min = range?.[0];
    y.max = range?.[1];
    const rightRange = valueExtent(model, true);
    right.display = model.rightLabel !== undefined && rightRange !== null;
    if (rightRange) [right.min, right.max] = roundRange(...rightRange);
    if (rightRange) (right.ticks as { stepSize?: number }).stepSize = niceStep((rightRange[1] - rightRange[0]) / 4 || 1);
    own.max = ownTop(model);
    const layout = chart.options.layout as { padding: Record<string, number> };
    layout.padding = { top: 12 + 16 * theme.scale, right: right.display ? 0 : GUTTER.right * theme.scale, left: 0, bottom: 0 };
  }

  /** Grows in round steps and never shrinks while the same stretch is shown. */
  #valueRange(model: LineModel): [number, number] | null {
    const found = valueExtent(model, false);
    if (!found) return null;
    if (model.logY) return [found[0] / 1.1, found[1] * 1.1];
    const key = `${model.series.map((series) => series.key).join()}|${model.xRange[0]}`;
    const next = roundRange(...found);
    if (this.#held?.key === key) {
      next[0] = Math.min(next[0], this.#held.range[0]);
      next[1] = Math.max(next[1], this.#held.range[1]);
    }
    this.#held = { key, range: next };
    return next;
  }
}

/** The largest value of the curves with a scale of their own. */
function ownTop({ series, xRange }: LineModel): number {
  const tops = series.filter(({ ownScale }) => ownScale).map(({ data }) => extent(data, ...xRange)?.[1] ?? 0);
  return Math.max(1e-12, ...tops) * 1.02;
}

function valueExtent(model: LineModel, right: boolean): [number, number] | null {
  let range: [number, number] | null = null;
  const values = model.series
    .filter((series) => scaleOf(series) === (right ? 'right' : 'y'))
    .map(({ data }) => extent(data, ...model.xRange));
  const thresholds: [number, number][] = right
    ? []
    : model.thresholds.flatMap(({ value, draft }) => [
        [value, value],
        [draft ?? value, draft ?? value],
      ]);
  for (const one of [...values, ...thresholds]) {
    if (one === null || (model.logY && !right && one[0] <= 0)) continue;
    range = range === null ? [...one] : [Math.min(range[0], one[0]), Math.max(range[1], one[1])];
  }
  return range;
}

/**
 * Width of the columns of which the smallest and largest value are drawn. Finer than a line is wide nothing can be told apart; and dashes along
 * a zigzag finer than they are long are dirt, which takes a browser without a GPU most of a frame.
 */
function columnPixels({ dash }: LineSeries): number {
  return Math.max(2, ...(dash ?? []));
}

function dataset(series: LineSeries, model: LineModel, theme: ChartTheme, width: number): ChartDataset<'line', Point[]> {
  const colour = theme.colour[series.colour];
  const faint = series.raw === true;
  return {
    data: thin(series.data, model.xRange[0], model.xRange[1], Math.max(50, Math.round(width / columnPixels(series)))),
    yAxisID: scaleOf(series),
    borderColor: faint ? `${colour}59` : colour,
    backgroundColor: colour,
    borderWidth: faint ? theme.rawWidth : series.abandoned ? 1 : theme.strongWidth,
    borderDash: series.abandoned ? [1, 4] : [...(series.dash ?? [])],
    pointRadius: series.points && series.data.xs.length < 80 ? 2 : 0,
    pointHitRadius: 0,
    pointBorderWidth: 0,
    spanGaps: false,
  };
}

function configuration(read: () => OverlayState): ChartConfiguration<'line', Point[]> {
  return {
    type: 'line',
    data: { datasets: [] },
    options: {
      animation: false,
      parsing: false,
      normalized: true,
      responsive: true,
      maintainAspectRatio: false,
      events: [],
      layout: { padding: { top: 28, right: GUTTER.right } },
      scales: {
        x: {
          type: 'linear',
          grid: { display: false },
          border: { display: false },
          ticks: { maxTicksLimit: 6, maxRotation: 0, includeBounds: false, callback: (value) => xTick(read().model, Number(value)) },
        },
        y: {
          type: 'linear',
          border: { display: false },
          grid: { drawTicks: false },
          ticks: { maxTicksLimit: 6, includeBounds: true, padding: 4, callback: (value) => read().model.formatTick(Number(value)) },
          afterFit: (axis) => {
            axis.width = GUTTER.left * read().theme.scale;
          },
          afterBuildTicks: (axis) => {
            if (read().model.logY) axis.ticks = logTicks(axis.min, axis.max).map((value) => ({ value }));
          },
        },
        own: { type: 'linear', axis: 'y', display: false, min: 0 },
        right: {
          type: 'linear',
          position: 'right',
          display: false,
          afterFit: (axis) => {
            if (axis.options.display) axis.width = GUTTER.right * read().theme.scale;
          },
          border: { display: false },
          grid: { display: false },
          ticks: { maxTicksLimit: 6, padding: 4, callback: (value) => rightTick(read().model, Number(value)) },
        },
      },
    },
    plugins: [overlayPlugin(read)],
  };
}

function rightTick({ formatRightTick, formatTick }: LineModel, value: number): string {
  return (formatRightTick ?? formatTick)(value);
}

/** The left end stays free: the axis title stands there. */
function xTick({ xRange, formatX }: LineModel, value: number): string {
  return value <= xRange[0] ? '' : formatX(value);
}
