/**
 * One phase of a config ready to train on made-up images, in memory only: a fresh model, no data set, no run folder. Speed and memory do
 * not depend on what the numbers are. The engine host measures with it (measurePhase.ts), and so does `prelora bench` (bench/worker.ts).
 */
import { runEager } from '../compile/eagerProgram.ts';
import type { ProgramStats } from '../compile/program.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { alphaOf } from '../core/rankAssignment.ts';
import type { ChosenBackend } from '../engine/choose.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { type AdaptedRanks, PhaseTrainer, type TrainingBatch, type UpdateResult } from '../train/phaseTrainer.ts';
import { programStarter } from '../train/runProgram.ts';
import { freezeState, initialState, switchState } from '../train/switchPhase.ts';
import type { TensorState } from '../train/tensorState.ts';

/** What decides a measurement. `config` is resolved; `ranks` are those of the switch, not looked at in phase full. */
export interface MeasuredSetup {
  config: ResolvedConfig;
  phase: Phase;
  ranks: Readonly<Record<string, number>>;
}

export class PhaseOnNoise {
  readonly trainer: PhaseTrainer;
  /** What compiling took. */
  readonly stats: ProgramStats;
  readonly #batches: TrainingBatch[];
  readonly #lr: number;
  #step = 0;

  /** Creates the weights and compiles the program. Dispose it when done. */
  constructor({ config, phase, ranks }: MeasuredSetup, backend: ChosenBackend) {
    let stats: ProgramStats = { nodes: 0, traceMs: 0, loadMs: 0 };
    const compile = programStarter({ backend, compiled: config.engine.compiled, warn: () => {} });
    const start: typeof compile = (program) => {
      const compiled = compile(program);
      stats = compiled.stats;
      return compiled;
    };
    const adapted = phase === 'full' ? new Map() : adaptedRanks(config, ranks);
    const state = stateOf(config, phase, adapted);
    this.trainer = new PhaseTrainer({ config, phase, ranks: adapted, state, start, startEager: runEager });
    this.stats = stats;
    this.#batches = noiseBatches(config);
    this.#lr = config.train.lr;
  }

  /** One update: step number, result and its wall time in milliseconds. */
  update(): { step: number; ms: number; result: UpdateResult } {
    const started = performance.now();
    const result = this.trainer.update(++this.#step, this.#lr, this.#batches);
    return { step: this.#step, ms: performance.now() - started, result };
  }

  dispose(): void {
    this.trainer.dispose();
  }
}

function adaptedRanks({ prelora }: ResolvedConfig, ranks: MeasuredSetup['ranks']): AdaptedRanks {
  const adapted = Object.entries(ranks).filter(([, rank]) => rank > 0);
  return new Map(adapted.map(([module, rank]) => [module, { rank, alpha: alphaOf(rank, prelora) }]));
}

function stateOf(config: ResolvedConfig, phase: Phase, ranks: AdaptedRanks): TensorState {
  const full = initialState(config);
  if (phase === 'full') return full;
  const warmup = switchState(full, config, ranks);
  return phase === 'warmup' ? warmup : freezeState(warmup, config, ranks);
}

/** One update's micro-batches, without a pattern that a model could use, with classes in turn. */
function noiseBatches({ model, train }: ResolvedConfig): TrainingBatch[] {
  const values = (tokenCount(model) - 1) * patchDim(model);
  return Array.from({ length: train.batchSize / train.microBatch }, () => {
    const patches = Float32Array.from({ length: train.microBatch * values }, (_, i) => Math.sin(i));
    const targets = new Float32Array(train.microBatch * model.numClasses);
    for (let row = 0; row < train.microBatch; row++) targets[row * model.numClasses + (row % model.numClasses)] = 1;
    return { count: train.microBatch, patches, targets };
  });
}
