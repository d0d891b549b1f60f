/** The program of one phase with its variables set, called directly: for tests that look at single steps and gradients. */
import type { CompiledProgram, HostArray } from '../../main/compile/program.ts';
import { allModules } from '../../main/core/modules.ts';
import { parametersInPhase } from '../../main/core/trainableSet.ts';
import type { RankPattern } from '../../main/lora/inject.ts';
import type { HostTensor } from '../../main/model/init.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import type { Phase } from '../../main/protocol/run.ts';
import { adamWFeeds, groupByUpdateCount } from '../../main/train/adamw.ts';
import type { TrainingBatch } from '../../main/train/phaseTrainer.ts';
import { createProgram, gradientVariable, type PhaseProgramSetup } from '../../main/train/program.ts';
import { maskInput, randomInputs } from '../../main/train/randomInputs.ts';
import type { StartProgram } from './backendUnderTest.ts';

export interface PhaseUnderTest {
  config: ResolvedConfig;
  phase: Phase;
  ranks: RankPattern;
  /** First value of every parameter, adapters included. */
  weights: (path: string, shape: readonly number[]) => Float32Array;
  start: StartProgram;
  /** Gradients add up in variables and can be read; else there is the one call `step`. */
  accumulates?: boolean;
  /** The functions the test calls; the others are left out, because compiling them takes a second. */
  calls: readonly string[];
}

export interface StartedPhase {
  program: CompiledProgram;
  setup: PhaseProgramSetup;
}

/** Starts the program with the given weights and empty moments. The caller disposes it. */
export function startPhase({ config, phase, ranks, weights, start, accumulates = false, calls }: PhaseUnderTest): StartedPhase {
  const plan = Object.fromEntries([...ranks].map(([module, { rank }]) => [module, rank]));
  const states = parametersInPhase(config, phase, plan);
  const trainable = states.filter(({ trainable }) => trainable).map(({ path }) => path);
  const decaying = new Set(states.filter(({ decays }) => decays).map(({ path }) => path));
  const { groupOf } = groupByUpdateCount(new Map(trainable.map((path) => [path, 0])));
  const { model, train, prelora } = config;
  const setup: PhaseProgramSetup = {
    model,
    ranks,
    shapes: new Map(states.map(({ path, shape }) => [path, shape])),
    modules: allModules(model.depth),
    trainable,
    decays: (path) => decaying.has(path),
    microBatch: train.microBatch,
    accumulates,
    groupOf,
    groups: 1,
    optimizer: { beta1: train.beta1, beta2: train.beta2, adamEps: train.adamEps },
    random: randomInputs(model, train.microBatch, { modules: ranks.keys(), loraDropRate: prelora.loraDropRate }),
    tracksDisplacement: true,
    evalBatch: train.microBatch,
    emaDecay: train.emaDecay,
  };
  const graph = createProgram(setup);
  const functions = Object.fromEntries(Object.entries(graph.functions).filter(([name]) => calls.includes(name)));
  const program = start({ ...graph, functions });
  const variables = Object.entries(graph.variables);
  program.writeVariables(variables.map(([name, { shape }]) => [name, setup.shapes.has(name) ? weights(name, shape) : 'zeros'] as const));
  return { program, setup };
}

/** Weights from tensors by path. */
export function weightsOf(tensors: ReadonlyMap<string, HostTensor>): PhaseUnderTest['weights'] {
  return (path) => {
    const tensor = tensors.get(path);
    if (!tensor) throw new Error(`the test gave no value for ${path}`);
    return tensor.data;
  };
}

/** The feeds of a batch of the update's `samples` images; `mask` gives the random factors where there are any. */
export function batchFeeds(
  { setup }: StartedPhase,
  { count, patches, targets }: TrainingBatch,
  samples = count,
  mask: (name: string, shape: readonly number[], rate: number) => Float32Array = () => new Float32Array(),
): Record<string, HostArray> {
  const masks = setup.random.map(({ name, spec, rate }) => [maskInput(name), mask(name, spec.shape, rate)]);
  return { patches, targets, sampleWeights: new Float32Array(count).fill(1 / samples), ...Object.fromEntries(masks) };
}

/** The optimizer's feeds of update t. */
export function updateFeeds(
  { setup }: StartedPhase,
  t: number,
  lr: number,
  { weightDecay = 0, gradClip = 1 } = {},
): Record<string, HostArray> {
  return adamWFeeds({ lr, weightDecay, gradClip, counts: [t], ...setup.optimizer });
}

/** Loss, logits and gradients by path of one batch. Needs a phase started with `accumulates`. */
export function gradientsOf(phase: StartedPhase, feeds: Record<string, HostArray>) {
  const { loss, logits } = phase.program.call('accumulate', { ...feeds, keep: Float32Array.of(0) });
  const values = phase.program.readVariables(phase.setup.trainable.map(gradientVariable));
  const gradients = new Map(phase.setup.trainable.map((path) => [path, values.get(gradientVariable(path)) as Float32Array]));
  return { loss: loss?.[0] as number, logits: logits as Float32Array, gradients };
}
