/** What all charts of a run share: the x axis, the shown stretch, the crosshair. */
export type XAxis = 'step' | 'epoch' | 'time';

export class PlotState {
  axis = $state<XAxis>('step');
  logLoss = $state(false);
  /** Changes fall by orders of magnitude, so that a logarithmic axis is the start. */
  logChange = $state(true);
  /** Weight of the exponential average over losses and throughput, 0…0.99. */
  smoothing = $state(0.9);
  #cursor = $state.raw<number | null>(null);
  #zoom = $state.raw<[number, number] | null>(null);
  #full = $state.raw<[number, number]>([0, 1]);

  get cursor(): number | null {
    return this.#cursor;
  }

  /** The shown stretch: what was zoomed to, else everything. */
  get range(): [number, number] {
    return this.#zoom ?? this.#full;
  }

  get zoomed(): boolean {
    return this.#zoom !== null;
  }

  setCursor(x: number | null): void {
    this.#cursor = x;
  }

  setFull(from: number, to: number): void {
    if (this.#full[0] !== from || this.#full[1] !== to) this.#full = [from, to];
  }

  setAxis(axis: XAxis): void {
    this.axis = axis;
    this.#zoom = null;
    this.#cursor = null;
  }

  zoomTo(from: number, to: number): void {
    if (to > from) this.#zoom = [from, to];
  }

  /** Below 1 zooms in, above 1 out, round the crosshair or the middle. */
  zoomBy(factor: number): void {
    const [from, to] = this.range;
    const centre = this.#cursor ?? (from + to) / 2;
    const next: [number, number] = [centre - (centre - from) * factor, centre + (to - centre) * factor];
    const whole = next[0] <= this.#full[0] && next[1] >= this.#full[1];
    this.#zoom = whole ? null : [Math.max(this.#full[0], next[0]), Math.min(this.#full[1], next[1])];
  }

  reset(): void {
    this.#zoom = null;
  }

  /** Moves the crosshair to the next marker, round the end to the first. */
  nextMarker(xs: readonly number[]): void {
    const sorted = [...xs].sort((a, b) => a - b);
    this.#cursor = sorted.find((x) => x > (this.#cursor ?? Number.NEGATIVE_INFINITY)) ?? sorted[0] ?? null;
  }
}
