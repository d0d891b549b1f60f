/** Events as flags above a plot: crowded ones merge into one with their number, and a press finds the event under it. */
import type { Chart } from 'chart.js';
import type { LineModel, Marker } from './model.ts';
import { font, xPixel } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

/** Side of a flag, pixels. */
const FLAG = 13;
/** Nearer flags become one, pixels. */
const CROWDED = 12;

export interface Flag<M extends Marker = Marker> {
  at: number;
  text: string;
  markers: M[];
}

/** Markers closer than `crowded`, in what `place` gives, become one flag with a count. */
export function mergeMarkers<M extends Marker>(markers: readonly M[], place: (x: number) => number, crowded = CROWDED): Flag<M>[] {
  const flags: Flag<M>[] = [];
  for (const marker of [...markers].sort((a, b) => a.x - b.x)) {
    const at = place(marker.x);
    const last = flags.at(-1);
    if (last && at - last.at < crowded) {
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

/** A dashed line and a flag above the plot for each; those of the step `event` stand out. */
export function drawFlags(chart: Chart, { model, theme, event }: { model: LineModel; theme: ChartTheme; event: number | null }): void {
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
