/**
 * Times one phase of a config on made-up images: real updates of a fresh model. The first steps, which compile and allocate, are left
 * out (method.md section 17).
 */
import { type ChosenBackend, chooseBackend } from '../engine/choose.ts';
import { MemoryMeter } from '../train/memory.ts';
import { Throughput } from '../train/throughput.ts';
import { type MeasuredSetup, PhaseOnNoise } from './phaseOnNoise.ts';

export interface MeasuredPhase {
  imagesPerSecond: number;
  /** Median. */
  stepMs: number;
  peakMemoryBytes: number;
  /** What computed. */
  backend: Pick<ChosenBackend, 'name' | 'version' | 'device'>;
}

/** Throughput leaves out the first two. */
const WARM_UP_STEPS = 2;

/** Times `steps` updates of the phase after the warm-up ones. Throws what the backend throws. */
export async function measurePhase({ steps, ...setup }: MeasuredSetup & { steps: number }): Promise<MeasuredPhase> {
  const backend = await chooseBackend(setup.config.engine);
  const noise = new PhaseOnNoise(setup, backend);
  try {
    const memory = new MemoryMeter();
    const throughput = new Throughput();
    for (let step = 1; step <= WARM_UP_STEPS + steps; step++) {
      throughput.add(noise.update().ms, setup.config.train.batchSize);
      if (step === WARM_UP_STEPS) memory.resetPeak();
    }
    const { name, version, device } = backend;
    const { imagesPerSecond, stepMsMedian } = throughput;
    return {
      imagesPerSecond: imagesPerSecond ?? 0,
      stepMs: stepMsMedian ?? 0,
      peakMemoryBytes: memory.peakBytes(),
      backend: { name, version, device },
    };
  } finally {
    noise.dispose();
  }
}
