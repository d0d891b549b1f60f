/**
 * The model in training during one phase: a program with its variables, called update by update. It owns the tensors and knows no files
 * and no clock. A phase change reads the state out of one trainer and makes the next from it (switchPhase.ts).
 */
import { type CompiledProgram, type GraphProgram, type HostArray, NonFiniteError } from '../compile/program.ts';
import { allModules } from '../core/modules.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { parametersInPhase } from '../core/trainableSet.ts';
import { collectGarbage } from '../engine/collectGarbage.ts';
import type { HostTensor } from '../model/init.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { adamWFeeds, groupByUpdateCount, type UpdateGroups } from './adamw.ts';
import { countCorrect } from './evaluate.ts';
import { COLLECTED_BYTES, firstValues } from './firstValues.ts';
import { previousVariable } from './norms.ts';
import { averageVariable, createProbe, createProgram, type PhaseProgramSetup } from './program.ts';
import { drawRandomInputs, randomInputs } from './randomInputs.ts';
import type { TensorState } from './tensorState.ts';

/** A micro-batch as the data pipeline hands it over. */
export interface TrainingBatch {
  count: number;
  /** [count, N − 1, P·P·K] */
  patches: Float32Array;
  /** [count, C], rows sum to 1 */
  targets: Float32Array;
}

export type AdaptedRanks = ReadonlyMap<string, { rank: number; alpha: number }>;

export interface UpdateResult {
  /** Mean loss over the samples of the update. */
  loss: number;
  /** Samples whose largest logit is at the target's largest entry. */
  correct: number;
  count: number;
  /** ‖g‖ over everything trainable, before clipping. */
  gradNorm: number;
  /** ‖∂loss/∂W‖ per module, or of its adapter after the freeze; null if frozen without adapter (method.md section 6). */
  moduleGradNorms: Record<string, number | null>;
}

/** The loss or a gradient was not finite; the update was not applied. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
  constructor(readonly tensor: string) {
    super(`${tensor} is not finite`);
  }
}

export type StartProgram = (program: ReturnType<typeof createProgram>) => CompiledProgram;

export interface PhaseTrainerOptions {
  config: ResolvedConfig;
  phase: Phase;
  ranks: AdaptedRanks;
  /** Taken over: its tensors leave it as they are written, so that the host's copy shrinks while the program's grows. */
  state: TensorState;
  /** Compiles the program, or makes it run eagerly (runProgram.ts). */
  start: StartProgram;
  /** Runs a program operation by operation, to look for a tensor that is not finite. */
  startEager: StartProgram;
}

export class PhaseTrainer {
  readonly phase: Phase;
  readonly isCompiled: boolean;
  // Not the options as a whole: they hold the first state, a copy of all weights that nobody needs any more.
  readonly #config: ResolvedConfig;
  readonly #startEager: StartProgram;
  readonly #setup: PhaseProgramSetup;
  readonly #groups: UpdateGroups;
  readonly #program: CompiledProgram;
  readonly #variables: GraphProgram['variables'];
  /** Bytes of the state that this trainer began with and that may still be on the host. */
  #firstBytes: number;
  /** Updates applied by this trainer: t of a group is its count at the start plus this. */
  #updates = 0;
  #hasPrevious: boolean;

  constructor(options: PhaseTrainerOptions) {
    this.#config = options.config;
    this.#startEager = options.startEager;
    this.phase = options.phase;
    this.#groups = groupByUpdateCount(options.state.updateCounts);
    this.#setup = programSetup(options, this.#groups);
    const program = createProgram(this.#setup);
    this.#variables = program.variables;
    this.#program = options.start(program);
    this.isCompiled = this.#program.isCompiled;
    this.#hasPrevious = options.state.previous !== null;
    this.#firstBytes = bytesOf(options.state.parameters);
    this.#program.writeVariables(firstValues(this.#setup, options.state));
  }

  /** Parameters that get gradients. */
  get trainable(): readonly string[] {
    return this.#setup.trainable;
  }

  /**
   * Applies update `step` (from step − 1) at learning rate `lr`. `batches` are the micro-batches of the update in order.
   * Throws DivergedError when loss or gradients are not finite; then nothing has changed.
   */
  update(step: number, lr: number, batches: readonly TrainingBatch[]): UpdateResult {
    this.#forgetFirstState();
    const count = batches.reduce((sum, batch) => sum + batch.count, 0);
    const scalars = this.#optimizerFeeds(lr);
    const sums = { loss: 0, correct: 0 };
    let gradSquares: HostArray | undefined;
    try {
      for (const [micro, batch] of batches.entries()) {
        const feeds = this.#batchFeeds(batch, count, step, micro);
        const outputs = this.#setup.accumulates
          ? this.#program.call('accumulate', { ...feeds, keep: Float32Array.of(micro === 0 ? 0 : 1) })
          : this.#program.call('step', { ...feeds, ...scalars });
        sums.loss += outputs.loss?.[0] as number;
        sums.correct += countCorrect(outputs.logits as Float32Array, batch.targets, batch.count);
        gradSquares = outputs.gradSquares;
      }
      if (this.#setup.accumulates) {
        // `apply` sees only gradients; a loss that is not finite with finite gradients must not pass either.
        if (!Number.isFinite(sums.loss)) throw new NonFiniteError('the loss is not finite');
        gradSquares = this.#program.call('apply', scalars).gradSquares;
      }
    } catch (error) {
      if (error instanceof NonFiniteError) throw this.#diverged(step, batches, count);
      throw error;
    }
    this.#updates++;
    if (this.#setup.emaDecay > 0) this.#program.call('average', {});
    return { ...sums, count, ...this.#gradientNorms(gradSquares as HostArray) };
  }

  /** Logits `[count, C]` of the evaluated weights: the averaged copy where one is kept. At most `evalBatch` images. */
  logits({ count, patches }: { count: number; patches: Float32Array }): Float32Array {
    const fed = padded(patches, this.#setup.evalBatch * valuesPerImage(this.#setup.model));
    const { logits } = this.#program.call('evaluate', { patches: fed });
    return (logits as Float32Array).subarray(0, count * this.#setup.model.numClasses);
  }

  get evalBatch(): number {
    return this.#setup.evalBatch;
  }

  /** Norms of all modules now; remembers the weights, so that the next call measures the distance from here. */
  measureNorms(): Record<string, { weightNorm: number; displacement: number | null }> {
    const { weightSquares, distanceSquares } = this.#program.call('norms', {});
    const known = this.#hasPrevious && distanceSquares !== undefined;
    this.#hasPrevious = true;
    const entries = this.#setup.modules.map((module, i) => {
      const weightNorm = Math.sqrt(weightSquares?.[i] as number);
      return [module, { weightNorm, displacement: known ? Math.sqrt(distanceSquares[i] as number) : null }] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Copies of all tensors, or of all but the moments. */
  readState({ moments: readsMoments = true }: { moments?: boolean } = {}): TensorState {
    const { shapes, trainable, modules, tracksDisplacement, emaDecay } = this.#setup;
    const moments = readsMoments ? trainable.flatMap((path) => [`m/${path}`, `v/${path}`]) : [];
    return {
      parameters: this.#read([...shapes.keys()]),
      moments: this.#read(moments),
      updateCounts: new Map(
        [...this.#groups.groupOf].map(([path, group]) => [path, (this.#groups.counts[group] as number) + this.#updates]),
      ),
      previous: tracksDisplacement && this.#hasPrevious ? this.#read(modules, previousVariable) : null,
      average: emaDecay > 0 ? this.#read(trainable, averageVariable) : null,
    };
  }

  /** Values under their plain names; `variable` tells what the program calls them. */
  #read(names: readonly string[], variable = (name: string): string => name): Map<string, HostTensor> {
    const values = this.#program.readVariables(names.map(variable));
    return new Map(names.map((name) => [name, { shape: this.#shapeOf(variable(name)), data: values.get(variable(name)) as Float32Array }]));
  }

  #shapeOf(variable: string): readonly number[] {
    return this.#variables[variable]?.shape ?? [];
  }

  /** Frees the program and its variables. */
  dispose(): void {
    this.#program.dispose();
  }

  /** Before the first update, when whoever made this trainer has let go of its state too. */
  #forgetFirstState(): void {
    if (this.#firstBytes > COLLECTED_BYTES) collectGarbage();
    this.#firstBytes = 0;
  }

  #optimizerFeeds(lr: number): Record<string, Float32Array> {
    const { weightDecay, gradClip } = this.#config.train;
    const counts = this.#groups.counts.map((start) => start + this.#updates + 1);
    return adamWFeeds({ lr, weightDecay, gradClip, counts, ...this.#setup.optimizer });
  }

  #batchFeeds(batch: TrainingBatch, count: number, step: number, micro: number): Record<string, HostArray> {
    const sampleWeights = new Float32Array(this.#setup.microBatch);
    sampleWeights.fill(1 / count, 0, batch.count);
    return {
      patches: padded(batch.patches, this.#setup.microBatch * valuesPerImage(this.#setup.model)),
      targets: padded(batch.targets, this.#setup.microBatch * this.#setup.model.numClasses),
      sampleWeights,
      ...drawRandomInputs(this.#setup.random, this.#config.train.seed, step, micro),
    };
  }

  #gradientNorms(gradSquares: HostArray): Pick<UpdateResult, 'gradNorm' | 'moduleGradNorms'> {
    const squareOf = new Map(this.#setup.trainable.map((path, i) => [path, gradSquares[i] as number]));
    let total = 0;
    for (const square of gradSquares) total += square;
    const norms = this.#setup.modules.map((module) => {
      const weight = squareOf.get(`${module}.weight`);
      if (weight !== undefined) return [module, Math.sqrt(weight)] as const;
      const a = squareOf.get(`${module}.loraA`);
      const b = squareOf.get(`${module}.loraB`);
      return [module, a === undefined || b === undefined ? null : Math.sqrt(a + b)] as const;
    });
    return { gradNorm: Math.sqrt(total), moduleGradNorms: Object.fromEntries(norms) };
  }

  /** Finds the first tensor that is not finite, by running the update again operation by operation. */
  #diverged(step: number, batches: readonly TrainingBatch[], count: number): DivergedError {
    const probe = this.#startEager(createProbe(this.#setup));
    try {
      probe.writeVariables([...this.#program.readVariables(this.#setup.shapes.keys())]);
      for (const [micro, batch] of batches.entries()) {
        const { loss, gradSquares } = probe.call('probe', this.#batchFeeds(batch, count, step, micro));
        if (!Number.isFinite(loss?.[0])) return new DivergedError('loss');
        const index = (gradSquares as Float32Array).findIndex((square) => !Number.isFinite(square));
        if (index >= 0) return new DivergedError(`gradient of ${this.#setup.trainable[index]}`);
      }
      return new DivergedError('gradient norm');
    } finally {
      probe.dispose();
    }
  }
}

function programSetup({ config, phase, ranks, state }: PhaseTrainerOptions, groups: UpdateGroups): PhaseProgramSetup {
  const { model, train, prelora } = config;
  const plan = Object.fromEntries([...ranks].map(([module, { rank }]) => [module, rank]));
  const parameters = parametersInPhase(config, phase, plan);
  const decaying = new Set(parameters.filter(({ decays }) => decays).map(({ path }) => path));
  return {
    model,
    ranks: phase === 'full' ? new Map() : ranks,
    shapes: new Map(parameters.map(({ path, shape }) => [path, shape])),
    modules: allModules(model.depth),
    trainable: parameters.filter(({ path }) => state.updateCounts.has(path)).map(({ path }) => path),
    decays: (path) => decaying.has(path),
    microBatch: train.microBatch,
    accumulates: train.microBatch < train.batchSize,
    groupOf: groups.groupOf,
    groups: groups.counts.length,
    optimizer: { beta1: train.beta1, beta2: train.beta2, adamEps: train.adamEps },
    random: randomInputs(model, train.microBatch, { modules: phase === 'full' ? [] : ranks.keys(), loraDropRate: prelora.loraDropRate }),
    tracksDisplacement: prelora.trackDisplacement,
    // Evaluation keeps no activations, so twice the training batch fits; more would only delay the answer to a command.
    evalBatch: Math.min(256, 2 * train.microBatch),
    emaDecay: train.emaDecay,
  };
}

function valuesPerImage(model: ResolvedConfig['model']): number {
  return (tokenCount(model) - 1) * patchDim(model);
}

function bytesOf(tensors: ReadonlyMap<string, HostTensor>): number {
  return [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** The values followed by zeros up to `size`; the same array when it is full already. */
function padded(values: Float32Array, size: number): Float32Array {
  if (values.length === size) return values;
  const full = new Float32Array(size);
  full.set(values);
  return full;
}
