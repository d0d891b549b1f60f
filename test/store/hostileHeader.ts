/** fast-check arbitraries for safetensors headers nobody should trust: nearly right ones, odd numbers, and any other JSON. */
import fc from 'fast-check';

const number = fc.oneof(fc.integer({ min: -8, max: 64 }), fc.constantFrom(2 ** 31, 2 ** 53, 1e300, 0.5), fc.string());

const entry = fc.record(
  {
    dtype: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('F32', 'F16', 'BF16', 'F64', 'I64', '__proto__') }, fc.jsonValue()),
    shape: fc.oneof({ weight: 3, arbitrary: fc.array(number, { maxLength: 3 }) }, fc.jsonValue()),
    data_offsets: fc.oneof({ weight: 3, arbitrary: fc.tuple(number, number) }, fc.jsonValue()),
  },
  { requiredKeys: [] },
);

/** One tensor with its right span, so that some headers are accepted and the checks behind the first ones are reached. */
const whole = fc
  .array(fc.nat({ max: 3 }), { maxLength: 2 })
  .map((shape) => ({ dtype: 'F32', shape, data_offsets: [0, shape.reduce((product, side) => product * side, 4)] }));

const name = fc.oneof(fc.string(), fc.constantFrom('a', 'b', '__proto__', '__metadata__'));
const header = fc.oneof(fc.dictionary(name, fc.oneof(entry, whole), { maxKeys: 4 }), fc.jsonValue());

/** The bytes of a header. */
export const headerText = header.map((value) => Buffer.from(JSON.stringify(value)));
