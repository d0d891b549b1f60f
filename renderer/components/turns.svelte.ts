import { cancelDraw, drawSoon } from '../charts/drawing.ts';

/** Lets the parts of a large screen appear one per frame, by turns with their charts: made all at once they hold up a frame. */
export class Turns {
  #count = $state(0);

  /** How many parts are there by now. */
  get count(): number {
    return this.#count;
  }

  /** Takes turns until `total` parts are there. Gives back an end to it. */
  start(total: number): () => void {
    const next = (): void => {
      this.#count++;
      if (this.#count < total) drawSoon(next);
    };
    drawSoon(next);
    return () => cancelDraw(next);
  }
}
