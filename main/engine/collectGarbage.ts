/**
 * A full garbage collection on demand. V8 frees a large array when it next collects, and during a training step, one native call, it does
 * not: host copies of the weights that nobody needs any more would count towards the peak. `gc` exists only behind a flag, which V8 takes
 * while it runs: https://nodejs.org/docs/latest-v24.x/api/v8.html#v8setflagsfromstringflags, the way of Node's own tests.
 */
import v8 from 'node:v8';
import vm from 'node:vm';

let collect: (() => void) | undefined;

/** Frees what nothing refers to, before returning. Takes tens of milliseconds, so it is for moments when much has become free. */
export function collectGarbage(): void {
  collect ??= exposedCollector();
  collect();
  // The arrays' memory is given back by a thread of V8's; a second collection waits for it.
  collect();
}

function exposedCollector(): () => void {
  v8.setFlagsFromString('--expose-gc');
  const gc: unknown = vm.runInNewContext('typeof gc === "function" ? gc : undefined');
  return typeof gc === 'function' ? () => gc() : () => {};
}
