/** F16, BF16 and F64 values as F32. BF16 is the upper half of an F32; F16 is IEEE 754 binary16; F64 is rounded to the nearest F32. */
import type { Dtype } from './safetensorsHeader.ts';

/** The values of `bytes`, which begins on an eight-byte boundary, in a new array. */
export function widenToFloat32(bytes: ArrayBuffer, dtype: Exclude<Dtype, 'F32'>): Float32Array {
  if (dtype === 'F64') return Float32Array.from(new Float64Array(bytes));
  const halves = new Uint16Array(bytes);
  return dtype === 'BF16' ? widenBfloat16(halves) : widenFloat16(halves);
}

function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

function widenFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = float16(halves[i] as number);
  return values;
}

/** One binary16: 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
