/**
 * Times one phase of a config on made-up images: real updates of a fresh model. The first steps, which compile and allocate, are left
 * out (method.md section 17).
 */
import { chooseBackend } from '../engine/choose.ts';
import { MemoryMeter } from '../train/memory.ts';
import { Throughput } from '../train/throughput.ts';
import { type MeasuredSetup, PhaseOnNoise } from './phaseOnNoise.ts';

export interface MeasuredPhase {
  imagesPerSecond: number;
  peakMemoryBytes: number;
}

/** Throughput leaves out the first two. */
const WARM_UP_STEPS = 2;

/** Times `steps` updates of the phase after the warm-up ones. Throws what the backend throws. */
export async function measurePhase({ steps, ...setup }: MeasuredSetup & { steps: number }): Promise<MeasuredPhase> {
  const noise = new PhaseOnNoise(setup, await chooseBackend(setup.config.engine));
  try {
    const memory = new MemoryMeter();
    const throughput = new Throughput();
    for (let step = 1; step <= WARM_UP_STEPS + steps; step++) {
      throughput.add(noise.update().ms, setup.config.train.batchSize);
      if (step === WARM_UP_STEPS) memory.resetPeak();
    }
    return { imagesPerSecond: throughput.imagesPerSecond ?? 0, peakMemoryBytes: memory.peakBytes() };
  } finally {
    noise.dispose();
  }
}
