/**
 * Times one phase of a config on made-up images, in memory only: real updates of a fresh model, no data set, no run folder. Speed and memory do not
 * depend on what the numbers are; the first steps, which compile and allocate, are left out (method.md section 17).
 */

import { runEager } from '../compile/eagerProgram.ts';
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { alphaOf } from '../core/rankAssignment.ts';
import { chooseBackend } from '../engine/choose.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { MemoryMeter } from '../train/memory.ts';
import { PhaseTrainer, type TensorState, type TrainingBatch } from '../train/phaseTrainer.ts';
import { programStarter } from '../train/runProgram.ts';
import { freezeState, initialState, switchState } from '../train/switchPhase.ts';
import { Throughput } from '../train/throughput.ts';

export interface MeasuredPhase {
  imagesPerSecond: number;
  peakMemoryBytes: number;
}

/** Throughput leaves out the first two. */
const WARM_UP_STEPS = 2;

/** `config` is resolved; `ranks` are those of the switch, not looked at in phase full. */
export async function measurePhase(options: {
  config: ResolvedConfig;
  phase: Phase;
  ranks: Record<string, number>;
  steps: number;
}): Promise<MeasuredPhase> {
  const { config, phase, ranks, steps } = options;
  const backend = await chooseBackend(config.engine);
  const start = programStarter({ backend, compiled: config.engine.compiled, warn: () => {} });
  const adapted = new Map(
    Object.entries(phase === 'full' ? {} : ranks)
      .filter(([, rank]) => rank > 0)
      .map(([module, rank]) => [module, { rank, alpha: alphaOf(rank, config.prelora) }] as const),
  );
  const trainer = new PhaseTrainer({ config, phase, ranks: adapted, state: stateOf(config, phase, adapted), start, startEager: runEager });
  try {
    const batches = noiseBatches(config);
    const memory = new MemoryMeter();
    const throughput = new Throughput();
    for (let step = 1; step <= WARM_UP_STEPS + steps; step++) {
      const started = performance.now();
      trainer.update(step, config.train.lr, batches);
      throughput.add(performance.now() - started, config.train.batchSize);
      if (step === WARM_UP_STEPS) memory.resetPeak();
    }
    return { imagesPerSecond: throughput.imagesPerSecond ?? 0, peakMemoryBytes: memory.peakBytes() };
  } finally {
    trainer.dispose();
  }
}

function stateOf(config: ResolvedConfig, phase: Phase, ranks: Parameters<typeof switchState>[2]): TensorState {
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
