/**
 * The heatmap's two canvases: cells with axes and phases, and over them the cursor, which moves without them. The cells are painted once per
 * model as one small picture (heat.ts) and enlarged.
 */
import { clearedContext } from './cursorMarks.ts';
import { cancelDraw, drawSoon, markSoon } from './drawing.ts';
import { GUTTER } from './gutter.ts';
import { type HeatModel, heatColours, paintCells, shownColumns } from './heat.ts';
import { nearest } from './series.ts';
import { font, hatch } from './strokes.ts';
import type { ChartTheme } from './theme.ts';

export interface HeatCell {
  row: number;
  column: number;
}

interface HeatState {
  model: HeatModel;
  theme: ChartTheme;
}

interface HeatMarks {
  /** Shared crosshair, in x units; null hides it. */
  cursor: number | null;
  cell: HeatCell | null;
}

/** Pixels of the plot and of a cell, and the first and one past the last column on show. */
interface Geometry {
  left: number;
  right: number;
  bottom: number;
  width: number;
  height: number;
  cellWidth: number;
  cellHeight: number;
  first: number;
  last: number;
}

export class HeatmapView {
  readonly #cells: HTMLCanvasElement;
  readonly #over: HTMLCanvasElement;
  readonly #state: HeatState;
  readonly #marks: HeatMarks = { cursor: null, cell: null };
  #picture: HTMLCanvasElement | null = null;
  readonly #draw = (): void => this.#drawNow();
  readonly #mark = (): void => this.#markNow();

  constructor(canvases: { cells: HTMLCanvasElement; marks: HTMLCanvasElement }, shown: HeatState) {
    this.#cells = canvases.cells;
    this.#over = canvases.marks;
    this.#state = { ...shown };
    drawSoon(this.#draw);
  }

  /** Paints the cells anew, of another model, theme or size. */
  show(change: Partial<HeatState>): void {
    Object.assign(this.#state, change);
    this.#picture = null;
    drawSoon(this.#draw);
  }

  mark(change: Partial<HeatMarks>): void {
    Object.assign(this.#marks, change);
    markSoon(this.#mark);
  }

  dispose(): void {
    cancelDraw(this.#draw);
    cancelDraw(this.#mark);
  }

  /** The cell under a pixel; it may lie outside the map. */
  cellAt(x: number, y: number): HeatCell {
    const g = this.#geometry();
    return { row: Math.floor(y / g.cellHeight), column: g.first + Math.floor((x - g.left) / g.cellWidth) };
  }

  #geometry(): Geometry {
    const { model, theme } = this.#state;
    const [left, right, bottom] = [GUTTER.left * theme.scale, GUTTER.right * theme.scale, 17 * theme.scale];
    const width = Math.max(1, this.#cells.clientWidth - left - right);
    const height = Math.max(1, this.#cells.clientHeight - bottom);
    const [first, last] = shownColumns(model);
    return {
      left,
      right,
      bottom,
      width,
      height,
      first,
      last,
      cellWidth: width / Math.max(1, last - first),
      cellHeight: height / Math.max(1, model.rows.length),
    };
  }

  #drawNow(): void {
    const ctx = document.hidden ? null : clearedContext(this.#cells);
    if (!ctx) return;
    const g = this.#geometry();
    this.#picture ??= paint(g, this.#state);
    drawCells(ctx, g, this.#state, this.#picture);
    drawPhases(ctx, g, this.#state);
    drawAxes(ctx, g, this.#state);
    markSoon(this.#mark);
  }

  #markNow(): void {
    const ctx = clearedContext(this.#over);
    if (ctx) drawCursor(ctx, this.#geometry(), this.#state, this.#marks);
  }
}

function edge(g: Geometry, column: number): number {
  return Math.round(g.left + (column - g.first) * g.cellWidth);
}

function paint(g: Geometry, { model, theme: { colour } }: HeatState): HTMLCanvasElement {
  const { data, width, height } = paintCells(
    model,
    Math.round(g.width * window.devicePixelRatio),
    heatColours(colour['rank-low'], colour['rank-high']),
  );
  const painted = document.createElement('canvas');
  painted.width = width;
  painted.height = height;
  painted.getContext('2d')?.putImageData(new ImageData(data, width, height), 0, 0);
  return painted;
}

function drawCells(ctx: CanvasRenderingContext2D, g: Geometry, { model, theme }: HeatState, picture: HTMLCanvasElement): void {
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(picture, g.left, 0, g.width, g.height);
  ctx.fillStyle = theme.colour.surface;
  if (g.cellHeight > 6)
    for (let row = 1; row < model.rows.length; row++) ctx.fillRect(g.left, Math.round(row * g.cellHeight) - 1, g.width, 1);
  if (g.cellWidth > 6) for (let column = g.first + 1; column < g.last; column++) ctx.fillRect(edge(g, column) - 1, 0, 1, g.height);
}

/** The frozen stretch hatched, switch and freeze as lines. */
function drawPhases(ctx: CanvasRenderingContext2D, g: Geometry, { model, theme: { colour } }: HeatState): void {
  if (model.frozenFrom !== null && model.frozenFrom < g.last) {
    const left = Math.max(g.left, edge(g, model.frozenFrom));
    hatch(ctx, { left, right: g.left + g.width, top: 0, bottom: g.height }, colour.surface, 5);
  }
  ctx.strokeStyle = colour.fg;
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 3]);
  for (const column of [model.switchAt, model.frozenFrom]) {
    if (column === null || column < g.first || column >= g.last) continue;
    ctx.beginPath();
    ctx.moveTo(edge(g, column) - 0.5, 0);
    ctx.lineTo(edge(g, column) - 0.5, g.height);
    ctx.stroke();
  }
  ctx.setLineDash([]);
}

function drawAxes(ctx: CanvasRenderingContext2D, g: Geometry, { model, theme }: HeatState): void {
  ctx.font = font(theme, 11);
  ctx.fillStyle = theme.colour['fg-3'];
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'right';
  const every = Math.ceil((13 * theme.scale) / g.cellHeight);
  model.rows.forEach(({ label }, row) => {
    if ((model.rows.length - 1 - row) % every === 0) ctx.fillText(label, g.left - 6, (row + 0.5) * g.cellHeight);
  });
  ctx.textBaseline = 'bottom';
  ctx.textAlign = 'center';
  const columnsPerLabel = Math.max(1, Math.ceil((70 * theme.scale) / g.cellWidth));
  for (let column = g.first; column < g.last; column += columnsPerLabel) {
    const x = g.left + (column - g.first + 0.5) * g.cellWidth;
    ctx.fillText(model.formatX(model.columns[column] as number), x, g.height + g.bottom);
  }
  ctx.textAlign = 'right';
  ctx.fillText(model.xLabel, g.left + g.width + g.right - 8, g.height + g.bottom);
}

function drawCursor(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  { model, theme: { colour } }: HeatState,
  { cursor, cell }: HeatMarks,
): void {
  if (cursor !== null && model.columns.length > 0) {
    const at = nearest(model.columns, cursor);
    const x = Math.round(g.left + (at - g.first + 0.5) * g.cellWidth) + 0.5;
    ctx.strokeStyle = colour.fg;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x, 0);
    ctx.lineTo(x, g.height);
    if (at >= g.first && at < g.last) ctx.stroke();
  }
  if (!cell) return;
  ctx.strokeStyle = colour.accent;
  ctx.lineWidth = 2;
  ctx.strokeRect(edge(g, cell.column), cell.row * g.cellHeight, g.cellWidth, g.cellHeight);
}
