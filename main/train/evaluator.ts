/**
 * A model that only answers: logits of a checkpoint's weights, without optimizer or gradients. The evaluation function is the same as in
 * training, on the same backend, so that a checkpoint scores what its run recorded.
 */
import type { CompiledProgram } from '../compile/program.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import type { StartProgram } from './phaseTrainer.ts';
import { averageVariable, createEvaluation } from './program.ts';
import { adaptedRanks, type RunState } from './runState.ts';
import type { TensorState } from './tensorState.ts';

export class Evaluator {
  readonly batch: number;
  readonly #program: CompiledProgram;
  readonly #classes: number;
  readonly #valuesPerImage: number;

  /** `batch` images go through the model at once. Dispose it when done. */
  constructor(state: RunState, tensors: TensorState, start: StartProgram) {
    const { model, train } = state.config;
    const isBefore = state.phase.phase === 'full';
    this.batch = Math.min(256, 2 * train.microBatch);
    this.#classes = model.numClasses;
    this.#valuesPerImage = (tokenCount(model) - 1) * patchDim(model);
    const averaged = new Map(tensors.average ?? []);
    const shapes = new Map([...tensors.parameters].map(([path, { shape }]) => [path, shape]));
    this.#program = start(
      createEvaluation({
        model,
        shapes,
        ranks: isBefore ? new Map() : adaptedRanks(state),
        trainable: [...averaged.keys()],
        evalBatch: this.batch,
        emaDecay: averaged.size > 0 ? train.emaDecay : 0,
      }),
    );
    this.#program.writeVariables([...tensors.parameters].map(([path, { data }]) => [path, data] as const));
    this.#program.writeVariables([...averaged].map(([path, { data }]) => [averageVariable(path), data] as const));
  }

  /** Logits `[count, C]` of at most `batch` images given as flattened patches. */
  logits({ count, patches }: { count: number; patches: Float32Array }): Float32Array {
    const fed = new Float32Array(this.batch * this.#valuesPerImage);
    fed.set(patches);
    const { logits } = this.#program.call('evaluate', { patches: fed });
    return (logits as Float32Array).subarray(0, count * this.#classes);
  }

  dispose(): void {
    this.#program.dispose();
  }
}
