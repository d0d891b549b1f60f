/** Pixels of a module map, so that a screen can give it the width at which nothing scrolls sideways. */
const SIDE = 40;
const GAP = 2;
const EDGE = 2;

/** Smallest width of a cell. 24 layers fit beside a column of figures in a window of 1,440; below 24 px a finger would miss. */
export function cellWidth(depth: number): number {
  return depth > 32 ? 24 : depth > 16 ? 26 : 28;
}

export function mapWidth(depth: number): number {
  return SIDE + depth * (cellWidth(depth) + GAP) + 2 * EDGE;
}
