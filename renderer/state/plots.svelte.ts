/** What all charts of a run share: the x axis, the shown stretch, the crosshair. */
export type XAxis = 'step' | 'epoch' | 'time';

export class PlotState {
  axis = $state<XAxis>('step');
  logLoss = $state(false);
  /** Changes fall by orders of magnitude, so that a logarithmic axis is the start. */
  logChange = $state(true);
  /** Weight of the exponential average over losses and throughput, 0…0.99. */
  smoothing = $state(0.9);
  /** Modules chosen on map, list or heatmap; the first two are drawn. */
  modules = $state.raw<readonly string[]>(['blocks.0.attn.q']);
  #cursor = $state.raw<number | null>(null);
  #event = $state.raw<number | null>(null);
  #zoom = $state.raw<[number, number] | null>(null);
  readonly #before: ([number, number] | null)[] = [];
  #full = $state.raw<[number, number]>([0, 1]);

  get cursor(): number | null {
    return this.#cursor;
  }

  /** The shown stretch: what was zoomed to, else everything. */
  get range(): [number, number] {
    return this.#zoom ?? this.#full;
  }

  /** What is shown of all there is: the charts' own way to ask, since what there is grows with every drawing. */
  shownOf(full: [number, number]): [number, number] {
    return this.#zoom ?? full;
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
    this.#before.length = 0;
    this.#cursor = null;
  }

  zoomTo(from: number, to: number): void {
    if (to > from) this.#setZoom([from, to]);
  }

  #setZoom(zoom: [number, number] | null): void {
    this.#before.push(this.#zoom);
    this.#zoom = zoom;
  }

  /** Takes the newest zoom back; false when there is none. */
  undoZoom(): boolean {
    const before = this.#before.pop();
    if (before === undefined) return false;
    this.#zoom = before;
    return true;
  }

  /** Below 1 zooms in, above 1 out, round the crosshair or the middle. */
  zoomBy(factor: number): void {
    const [from, to] = this.range;
    const centre = this.#cursor ?? (from + to) / 2;
    const next: [number, number] = [centre - (centre - from) * factor, centre + (to - centre) * factor];
    const whole = next[0] <= this.#full[0] && next[1] >= this.#full[1];
    this.#setZoom(whole ? null : [Math.max(this.#full[0], next[0]), Math.min(this.#full[1], next[1])]);
  }

  reset(): void {
    if (this.#zoom) this.#setZoom(null);
  }

  /** The step whose events are picked out, in the journal and on every chart. */
  get event(): number | null {
    return this.#event;
  }

  /** Picks out the events of a step and puts the crosshair there. */
  chooseEvent(step: number, x: number): void {
    this.#event = step;
    this.#cursor = x;
  }

  /** Goes to the next marker, round the end to the first. */
  nextMarker(markers: readonly { x: number; step: number }[]): void {
    const sorted = [...markers].sort((a, b) => a.x - b.x);
    const next = sorted.find(({ x }) => x > (this.#cursor ?? Number.NEGATIVE_INFINITY)) ?? sorted[0];
    if (next) this.chooseEvent(next.step, next.x);
  }
}
