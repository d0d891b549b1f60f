/** Numbers that arrive one by one and are read as one typed array without copying. What is missing is NaN, which charts leave out. */
export class NumberColumn {
  #buffer = new Float64Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number | null | undefined): void {
    this.reserve(this.#length + 1);
    this.#buffer[this.#length++] = value ?? Number.NaN;
  }

  append(values: ArrayLike<number>): void {
    this.reserve(this.#length + values.length);
    this.#buffer.set(values, this.#length);
    this.#length += values.length;
  }

  get last(): number | undefined {
    return this.#length === 0 ? undefined : this.#buffer[this.#length - 1];
  }

  /** Everything so far; stays as it is when more is pushed. */
  get values(): Float64Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Makes room for as many numbers in all. */
  reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const grown = new Float64Array(Math.max(length, 2 * this.#buffer.length));
    grown.set(this.values);
    this.#buffer = grown;
  }
}
