/** Lets the parts of a large screen appear one per frame: made all at once they hold up a frame for several times its length. */
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
      if (this.#count < total) frame = requestAnimationFrame(next);
    };
    let frame = requestAnimationFrame(next);
    return () => cancelAnimationFrame(frame);
  }
}
