/** Where a label lies free of curves: of several places the first that no line crosses, else the one that the fewest cross. Pure. */
export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Pixel {
  x: number;
  y: number;
}

/** Null when no place lies inside `area`. A pixel that is not a number ends a line; the next one begins another. */
export function freePlace(places: readonly Box[], lines: readonly (readonly Pixel[])[], area: Box): Box | null {
  let best: { place: Box; crossings: number } | null = null;
  for (const place of places) {
    if (!isInside(place, area)) continue;
    const crossings = lines.reduce((sum, line) => sum + crossingsOf(place, line), 0);
    if (best === null || crossings < best.crossings) best = { place, crossings };
    if (crossings === 0) break;
  }
  return best?.place ?? null;
}

function isInside(box: Box, area: Box): boolean {
  return box.left >= area.left && box.right <= area.right && box.top >= area.top && box.bottom <= area.bottom;
}

function crossingsOf(box: Box, line: readonly Pixel[]): number {
  let count = 0;
  for (let i = 1; i < line.length; i++) if (crosses(box, line[i - 1] as Pixel, line[i] as Pixel)) count++;
  return count;
}

/** Whether a stretch of a line has a point in the box (Liang and Barsky 1984: the part of it between each pair of parallel sides). */
function crosses({ left, right, top, bottom }: Box, a: Pixel, b: Pixel): boolean {
  const across = within(a.x, b.x, left, right);
  const down = within(a.y, b.y, top, bottom);
  return across !== null && down !== null && Math.max(across[0], down[0]) <= Math.min(across[1], down[1]);
}

/** The shares of the way from `a` to `b` between which it lies in low…high; null when it never does, or is not a number. */
function within(a: number, b: number, low: number, high: number): [number, number] | null {
  if (a === b) return a >= low && a <= high ? [0, 1] : null;
  const [first, second] = [(low - a) / (b - a), (high - a) / (b - a)];
  const from = Math.max(0, Math.min(first, second));
  const to = Math.min(1, Math.max(first, second));
  return from <= to ? [from, to] : null;
}
