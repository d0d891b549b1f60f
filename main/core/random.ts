/**
 * Named random streams. A stream is a pure function of (seed, name, place …), so nothing restarts at a resume and no stream depends
 * on how often another was used (method.md section 3). The generator is Chris Doty-Humphrey's sfc32 with its four words taken from
 * a 128-bit hash of the key; both are integer arithmetic and give the same numbers on every machine.
 */

/** Independent streams in use; the name is part of the key. */
export type StreamName =
  | 'init'
  | 'adapterInit'
  | 'shuffle'
  | 'augment'
  | 'mix'
  | 'dropout'
  | 'attnDropout'
  | 'dropPath'
  | 'loraDropout'
  | 'trial'
  | 'test';

export interface RandomStream {
  /** Uniform in [0, 1) with 32 random bits. */
  uniform(): number;
  /** Uniform whole number in [0, below); `below` from 1 to 2^32. */
  integer(below: number): number;
  /** Standard normal, by Box and Muller's polar method. */
  normal(): number;
}

/** Opens a stream at its beginning. `place` is what distinguishes the draw: step, micro-batch, sample, module index … */
export function randomStream(seed: number, name: StreamName, ...place: number[]): RandomStream {
  const next = sfc32(hashKey(seed, name, place));
  let spare: number | null = null;
  const uniform = (): number => next() / 4_294_967_296;
  return {
    uniform,
    integer: (below) => Math.floor(uniform() * below),
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      for (;;) {
        const x = 2 * uniform() - 1;
        const y = 2 * uniform() - 1;
        const square = x * x + y * y;
        if (square === 0 || square >= 1) continue;
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * scale;
        return x * scale;
      }
    },
  };
}

/** Gamma(shape, 1) by Marsaglia and Tsang (2000); shape > 0. */
export function gamma(stream: RandomStream, shape: number): number {
  if (shape < 1) return gamma(stream, shape + 1) * (1 - stream.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - stream.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Beta(alpha, alpha) in [0, 1]: the mixing weight of mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899). */
export function symmetricBeta(stream: RandomStream, alpha: number): number {
  const a = gamma(stream, alpha);
  const b = gamma(stream, alpha);
  return a + b === 0 ? 0.5 : a / (a + b);
}

/** A permutation of 0 … n−1 (Fisher and Yates). */
export function permutation(stream: RandomStream, n: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    const held = order[i] as number;
    order[i] = order[j] as number;
    order[j] = held;
  }
  return order;
}

/** Normal values of spread `std`, redrawn beyond ±2 in absolute value as timm and HF do (method.md section 2). */
export function truncatedNormal(stream: RandomStream, length: number, std: number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    let value = stream.normal() * std;
    while (Math.abs(value) > 2) value = stream.normal() * std;
    values[i] = value;
  }
  return values;
}

/** Four 32-bit words from the key: one MurmurHash3-style lane per word, each started differently. */
function hashKey(seed: number, name: string, place: number[]): [number, number, number, number] {
  const words = [seed >>> 0, ...place.flatMap((value) => [value >>> 0, Math.floor(value / 4_294_967_296) >>> 0])];
  for (let i = 0; i < name.length; i++) words.push(name.charCodeAt(i) + 0x10000);
  const lane = (start: number): number => {
    let h = start;
    for (const word of words) {
      let k = Math.imul(word, 0xcc9e2d51);
      k = (k << 15) | (k >>> 17);
      h ^= Math.imul(k, 0x1b873593);
      h = (h << 13) | (h >>> 19);
      h = (Math.imul(h, 5) + 0xe6546b64) | 0;
    }
    h ^= words.length;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  return [lane(0x9e3779b9), lane(0x243f6a88), lane(0xb7e15162), lane(0xdeadbeef)];
}

function sfc32([a, b, c, counter]: [number, number, number, number]): () => number {
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  // The first outputs still show the hash's structure; sfc32's author discards 12 to 15.
  for (let i = 0; i < 15; i++) next();
  return next;
}
