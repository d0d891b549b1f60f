/**
 * One animation frame for all charts: what asks to be drawn waits here, and a frame draws for a few milliseconds only. Five charts
 * with new data would together hold up one frame; so they take turns, in the order in which they asked.
 */
const BUDGET_MS = 6;

const waiting = new Set<() => void>();
let frame = 0;

/** Draws with the next frame that has time. Asking twice draws once; the answer takes the wish back. */
export function drawSoon(draw: () => void): () => void {
  waiting.add(draw);
  if (frame === 0) frame = requestAnimationFrame(drawSome);
  return () => waiting.delete(draw);
}

function drawSome(): void {
  frame = 0;
  const started = performance.now();
  for (const draw of waiting) {
    waiting.delete(draw);
    draw();
    if (performance.now() - started > BUDGET_MS) break;
  }
  if (waiting.size > 0 && frame === 0) frame = requestAnimationFrame(drawSome);
}
