/**
 * From a state on the host into a program's variables, tensor by tensor: each leaves the state as it is written, and the garbage is collected
 * on the way, so that the host's copy shrinks while the program's grows (V8 collects no array during a native call).
 */
import type { HostArray } from '../compile/program.ts';
import { collectGarbage } from '../engine/collectGarbage.ts';
import type { HostTensor } from '../model/init.ts';
import { previousVariable } from './norms.ts';
import { averageVariable, gradientVariable, type PhaseProgramSetup } from './program.ts';
import type { TensorState } from './tensorState.ts';

/** Host arrays of this size are worth a garbage collection of a tenth of a second. */
export const COLLECTED_BYTES = 256 * 1024 * 1024;

type FirstValue = readonly [variable: string, value: HostArray | 'zeros'];

/** The first value of every variable of the program, in the order they are to be written; empties `state`. Throws where a parameter is missing. */
export function firstValues(setup: PhaseProgramSetup, state: TensorState): Iterable<FirstValue> {
  return collecting(takenFrom(state, setup));
}

function* takenFrom(state: TensorState, setup: PhaseProgramSetup): Generator<FirstValue> {
  const trainable = new Set(setup.trainable);
  for (const path of setup.shapes.keys()) {
    const { data } = tensorOf(state.parameters, path);
    yield [path, data];
    if (setup.emaDecay > 0 && trainable.has(path)) yield [averageVariable(path), state.average?.get(path)?.data ?? data];
    state.parameters.delete(path);
    state.average?.delete(path);
  }
  for (const path of trainable) {
    if (setup.accumulates) yield [gradientVariable(path), 'zeros'];
    for (const moment of [`m/${path}`, `v/${path}`]) {
      yield [moment, state.moments.get(moment)?.data ?? 'zeros'];
      state.moments.delete(moment);
    }
  }
  if (!setup.tracksDisplacement) return;
  for (const module of setup.modules) {
    yield [previousVariable(module), state.previous?.get(module)?.data ?? 'zeros'];
    state.previous?.delete(module);
  }
}

/** Passes entries on, and has the garbage collected whenever so much has been passed that holding it would count. */
function* collecting(entries: Iterable<FirstValue>): Generator<FirstValue> {
  let passed = 0;
  for (const entry of entries) {
    yield entry;
    passed += entry[1] === 'zeros' ? 0 : entry[1].byteLength;
    if (passed < COLLECTED_BYTES) continue;
    collectGarbage();
    passed = 0;
  }
}

function tensorOf(tensors: ReadonlyMap<string, HostTensor>, path: string): HostTensor {
  const tensor = tensors.get(path);
  if (!tensor) throw new Error(`the state has no tensor ${path}`);
  return tensor;
}
