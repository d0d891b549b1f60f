/** Rows drawn beyond either edge, so that scrolling shows no gap. */
const BEYOND = 8;

/** Which rows of a long list are in sight: the others need not be in the document. */
export class RowWindow {
  scrollTop = $state(0);
  viewport = $state(600);
  readonly #rowHeight: () => number;

  /** `rowHeight` in pixels; all rows have it. */
  constructor(rowHeight: () => number) {
    this.#rowHeight = rowHeight;
  }

  /** First and one past the last row of `count` to draw. */
  of(count: number): [number, number] {
    const height = this.#rowHeight();
    const first = Math.min(Math.floor(this.scrollTop / height), count) - BEYOND;
    const last = first + Math.ceil(this.viewport / height) + 2 * BEYOND;
    return [Math.max(0, first), Math.min(count, last)];
  }
}
