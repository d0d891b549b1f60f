/** A chart model as an SVG picture, for papers: the same curves, thresholds and marks as on screen, with axes, units and a legend. */
import { type LineModel, type LineSeries, scaleOf } from './model.ts';
import { extent, logTicks, niceStep, type Point, roundRange, thin } from './series.ts';
import type { ChartTheme } from './theme.ts';

const SIZE = { width: 720, height: 400, left: 64, right: 150, top: 36, bottom: 44 };
const PLOT = { width: SIZE.width - SIZE.left - SIZE.right, height: SIZE.height - SIZE.top - SIZE.bottom };

interface Scale {
  ticks: number[];
  at: (value: number) => number;
}

export function lineChartSvg(title: string, model: LineModel, theme: ChartTheme): string {
  const x = linearScale(model.xRange, (share) => SIZE.left + share * PLOT.width);
  const y = valueScale(model, 'y');
  const right = valueScale(model, 'right');
  const own = valueScale(model, 'own');
  const scales = { y, right, own };
  const { fg, line, surface } = { fg: theme.colour['fg-2'], line: theme.colour.grid, surface: theme.colour.surface };
  const curves = model.series.map((series) => curve(series, model, { x, y: scales[scaleOf(series)], colour: theme.colour[series.colour] }));
  const named = model.series.filter(({ raw, abandoned }) => !raw && !abandoned);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="11" fill="${fg}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="${surface}"/>`,
    text(SIZE.left, 16, model.yLabel),
    ...(model.rightLabel ? [text(SIZE.left + PLOT.width, 16, model.rightLabel, 'end')] : []),
    ...y.ticks.flatMap((tick) => [
      `<path d="M${SIZE.left} ${round(y.at(tick))}H${SIZE.left + PLOT.width}" stroke="${line}"/>`,
      text(SIZE.left - 6, y.at(tick) + 4, model.formatTick(tick), 'end'),
    ]),
    ...(model.rightLabel
      ? right.ticks.map((tick) => text(SIZE.left + PLOT.width + 6, right.at(tick) + 4, (model.formatRightTick ?? model.formatTick)(tick)))
      : []),
    ...x.ticks.map((tick) => text(x.at(tick), SIZE.top + PLOT.height + 16, model.formatX(tick), 'middle')),
    text(SIZE.left + PLOT.width / 2, SIZE.height - 8, model.xLabel, 'middle'),
    ...model.markers.map((marker) => {
      const at = round(x.at(marker.x));
      return `<path d="M${at} ${SIZE.top}V${SIZE.top + PLOT.height}" stroke="${fg}" stroke-dasharray="3 3"/>${text(at, SIZE.top - 4, marker.letter, 'middle')}`;
    }),
    ...model.thresholds.map(
      ({ value, label }) =>
        `<path d="M${SIZE.left} ${round(y.at(value))}H${SIZE.left + PLOT.width}" stroke="${theme.colour.fg}" stroke-dasharray="10 5"><title>${escaped(label)}</title></path>`,
    ),
    ...curves,
    ...named.map((series, i) => legend(series, theme, SIZE.top + 14 + 16 * i)),
    '</svg>',
  ].join('\n');
}

function linearScale([from, to]: [number, number], place: (share: number) => number): Scale {
  const span = to - from || 1;
  const step = niceStep(span / 5);
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.max(0, Math.floor(to / step + 1e-9) - first + 1);
  return { ticks: Array.from({ length: count }, (_, i) => (first + i) * step), at: (value) => place((value - from) / span) };
}

function valueScale(model: LineModel, axis: ReturnType<typeof scaleOf>): Scale {
  const place = (share: number): number => SIZE.top + (1 - share) * PLOT.height;
  const ranges = model.series.filter((series) => scaleOf(series) === axis).flatMap(({ data }) => extent(data, ...model.xRange) ?? []);
  const values = axis === 'y' ? [...ranges, ...model.thresholds.map(({ value }) => value)] : ranges;
  if (values.length === 0) return { ticks: [], at: () => place(0) };
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (axis === 'own') return linearScale([0, high || 1], place);
  if (axis === 'right' || !model.logY || low <= 0) return linearScale(roundRange(low, high), place);
  const [from, to] = [low / 1.1, high * 1.1];
  return { ticks: logTicks(from, to), at: (value) => place(Math.log(value / from) / Math.log(to / from)) };
}

function curve(series: LineSeries, model: LineModel, { x, y, colour }: { x: Scale; y: Scale; colour: string }): string {
  let isDown = false;
  const steps = thin(series.data, ...model.xRange, PLOT.width).map((point: Point) => {
    const isDrawn = Number.isFinite(point.y) && point.x >= model.xRange[0] && point.x <= model.xRange[1];
    const step = isDrawn ? `${isDown ? 'L' : 'M'}${round(x.at(point.x))} ${round(y.at(point.y))}` : '';
    isDown = isDrawn;
    return step;
  });
  const dash = series.abandoned ? [1, 4] : (series.dash ?? []);
  return `<path d="${steps.join('')}" fill="none" stroke="${colour}" stroke-width="${series.raw ? 1 : 2}"${series.raw ? ' opacity="0.35"' : ''} stroke-dasharray="${dash.join(' ')}"/>`;
}

function legend(series: LineSeries, theme: ChartTheme, y: number): string {
  const left = SIZE.left + PLOT.width + 44;
  const stroke = `stroke="${theme.colour[series.colour]}" stroke-width="2" stroke-dasharray="${(series.dash ?? []).join(' ')}"`;
  return `<path d="M${left} ${y - 4}h18" ${stroke}/>${text(left + 24, y, series.label)}`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(words: string): string {
  return words.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
