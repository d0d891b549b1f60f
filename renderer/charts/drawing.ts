/**
 * When charts are drawn: one whole drawing (or one panel of a screen that is made) per frame, in the order in which they asked, because a browser without a GPU turns what was drawn
 * into pixels after our time is measured, and five charts with new data would together hold up one frame. Marks (crosshair, brush) are a few
 * strokes on a canvas of their own and all move with the next frame.
 */
const waiting = new Set<() => void>();
const marks = new Set<() => void>();
let frame = 0;

/** Draws in a frame of its own. Asking twice draws once. */
export function drawSoon(draw: () => void): void {
  waiting.add(draw);
  wakeUp();
}

/** Draws with the next frame, whatever else it draws. */
export function markSoon(draw: () => void): void {
  marks.add(draw);
  wakeUp();
}

/** Takes the wish back, of either kind. */
export function cancelDraw(draw: () => void): void {
  waiting.delete(draw);
  marks.delete(draw);
}

function wakeUp(): void {
  if (frame === 0) frame = requestAnimationFrame(drawSome);
}

function drawSome(): void {
  frame = 0;
  const [first] = waiting;
  if (first) {
    waiting.delete(first);
    first();
  }
  const moved = [...marks];
  marks.clear();
  for (const draw of moved) draw();
  if (waiting.size > 0) wakeUp();
}
