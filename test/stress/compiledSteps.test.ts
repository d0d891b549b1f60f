/**
 * The compiled step in the long run, with our kernels where they are built: its losses beside those of the same step run operation by
 * operation, and its memory over thousands of updates with other images and another learning rate each.
 */
import { describe, expect, test } from 'vitest';
import { patchDim, tokenCount } from '../../main/core/parameterShapes.ts';
import { chooseBackend } from '../../main/engine/choose.ts';
import { setupOf } from '../../main/host/bench/cases.ts';
import { PhaseOnNoise } from '../../main/host/phaseOnNoise.ts';
import type { Phase } from '../../main/protocol/run.ts';
import type { TrainingBatch } from '../../main/train/phaseTrainer.ts';
import { hasNative } from '../compile/support/nativeBackend.ts';
import { residentMegabytes } from '../compile/support/residentMemory.ts';

const PHASES: Phase[] = ['full', 'warmup', 'lora'];
const BATCH = 8;
const SHAPE = { embedDim: 64, depth: 3, numHeads: 2, imageSize: 16, patchSize: 4, numClasses: 10 };

async function opened(phase: Phase, compiled: boolean): Promise<{ trainer: PhaseOnNoise; batchAt: (step: number) => TrainingBatch }> {
  const setup = setupOf({ name: 'small', shape: SHAPE, batch: BATCH }, { phase, threads: 2, compiled });
  const { model } = setup.config;
  const backend = await chooseBackend({ ...setup.config.engine, backend: 'tensorflow' });
  const values = BATCH * (tokenCount(model) - 1) * patchDim(model);
  const batchAt = (step: number): TrainingBatch => {
    const patches = Float32Array.from({ length: values }, (_, i) => Math.sin(step + 0.37 * i));
    const targets = new Float32Array(BATCH * SHAPE.numClasses);
    for (let row = 0; row < BATCH; row++) targets[row * SHAPE.numClasses + ((row + step) % SHAPE.numClasses)] = 1;
    return { count: BATCH, patches, targets };
  };
  return { trainer: new PhaseOnNoise(setup, backend), batchAt };
}

/** With the learning rate warming up as in a run: at its full height from the first step on, AdamW makes rounding errors grow tenfold. */
async function losses(phase: Phase, compiled: boolean, steps: number): Promise<number[]> {
  const { trainer: onNoise, batchAt } = await opened(phase, compiled);
  try {
    expect(onNoise.trainer.isCompiled).toBe(compiled);
    return Array.from({ length: steps }, (_, i) => onNoise.trainer.update(i + 1, (1e-3 * (i + 1)) / steps, [batchAt(i)]).loss);
  } finally {
    onNoise.dispose();
  }
}

describe.skipIf(!hasNative)('the compiled step (skipped without a native engine)', () => {
  test.each(PHASES)('phase %s: losses of 50 updates equal eager ones within 1e-4', async (phase) => {
    const compiled = await losses(phase, true, 50);
    const eager = await losses(phase, false, 50);
    const distance = Math.max(...compiled.map((loss, i) => Math.abs(loss / (eager[i] as number) - 1)));
    console.log(
      `${phase}: loss ${compiled[0]?.toFixed(4)} to ${compiled[49]?.toFixed(4)}, largest relative distance ${distance.toExponential(1)}`,
    );
    expect(distance).toBeLessThan(1e-4);
  });

  test.each(PHASES)('phase %s: 5,000 updates hold no more memory than 500', async (phase) => {
    const { trainer: onNoise, batchAt } = await opened(phase, true);
    const updateUntil = (from: number, to: number): number => {
      for (let step = from; step < to; step++) onNoise.trainer.update(step + 1, 1e-3 * Math.abs(Math.cos(step)), [batchAt(step)]);
      return residentMegabytes();
    };
    const early = updateUntil(0, 500);
    const late = updateUntil(500, 5000);
    console.log(`${phase}: resident ${early.toFixed(0)} MB after 500 updates, ${late.toFixed(0)} MB after 5,000`);
    // Feeds are garbage until V8 collects them, in waves of about 35 MB.
    expect(late - early).toBeLessThan(50);
    onNoise.dispose();
  });
});
