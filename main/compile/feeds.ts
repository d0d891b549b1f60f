/** The checks at the door of a program: names, lengths and types of what is fed and written. One wording for eager and compiled. */
import type { GraphFunction, GraphProgram, HostArray, TensorDtype, TensorSpec } from './program.ts';

const ARRAY_OF = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** Number of values in a tensor of this spec. */
export function sizeOf(spec: TensorSpec): number {
  return spec.shape.reduce((product, side) => product * side, 1);
}

/** `float32[32,64,48]`, as messages write it. */
export function describe(spec: TensorSpec): string {
  return `${spec.dtype}[${spec.shape.join(',')}]`;
}

/** A zeroed host array for a tensor of this spec. */
export function createHostArray(spec: TensorSpec): HostArray {
  return new ARRAY_OF[spec.dtype](sizeOf(spec));
}

/** The function of that name. Throws a RangeError that lists the names there are. */
export function findFunction(program: GraphProgram, name: string): GraphFunction {
  const found = Object.hasOwn(program.functions, name) ? program.functions[name] : undefined;
  if (found) return found;
  throw new RangeError(`the program has no function "${name}"; it has ${Object.keys(program.functions).join(', ')}`);
}

/** The spec of the variable of that name. Throws a RangeError when there is none. */
export function findVariable(program: GraphProgram, name: string): TensorSpec {
  const found = Object.hasOwn(program.variables, name) ? program.variables[name] : undefined;
  if (found) return found;
  throw new RangeError(`the program has no variable "${name}"`);
}

/** Throws a RangeError unless there is exactly one array of the right type and length per input. */
export function checkFeeds(name: string, fn: GraphFunction, feeds: Readonly<Record<string, HostArray>>): void {
  for (const [input, spec] of Object.entries(fn.inputs)) {
    const value = feeds[input];
    if (!value) throw new RangeError(`call of "${name}": input "${input}" is missing; it is ${describe(spec)}`);
    checkValue(`call of "${name}": input "${input}"`, spec, value);
  }
  for (const input of Object.keys(feeds)) {
    if (!Object.hasOwn(fn.inputs, input)) throw new RangeError(`call of "${name}": it has no input "${input}"`);
  }
}

/** Throws a RangeError that says what `subject` is, what came, and what was expected. */
export function checkValue(subject: string, spec: TensorSpec, value: HostArray): void {
  if (!(value instanceof ARRAY_OF[spec.dtype])) {
    throw new RangeError(`${subject} is ${describe(spec)} and takes a ${ARRAY_OF[spec.dtype].name}, not a ${value.constructor.name}`);
  }
  if (value.length !== sizeOf(spec)) {
    throw new RangeError(`${subject} is ${describe(spec)}, ${sizeOf(spec)} values, but got ${value.length}`);
  }
}

/** Throws a RangeError when a result tensor does not have the spec of the variable it is meant for. */
export function checkAssigned(functionName: string, variable: string, spec: TensorSpec, tensor: { shape: number[]; dtype: string }): void {
  const assigned: TensorSpec = { shape: tensor.shape, dtype: tensor.dtype as TensorDtype };
  if (describe(assigned) === describe(spec)) return;
  throw new RangeError(`"${functionName}" assigns ${describe(assigned)} to variable "${variable}", which is ${describe(spec)}`);
}
