/** Whether an engine computes, and how fast: steps of one small ViT, the same for all engines, so that their times can be compared. */
import { parseConfig, resolveWithData } from '../core/resolveConfig.ts';
import type { ComputeEngine, SelfTest } from '../protocol/results.ts';
import type { EngineHost } from './engineHost.ts';

/** Small enough for plain JavaScript to end within a minute, wide enough that products and not calls take the time. */
const SHAPE: SelfTest['shape'] = { imageSize: 32, patchSize: 8, embedDim: 192, depth: 2, batchSize: 8 };
/** Timed ones, by what a step takes. */
const STEPS: Record<ComputeEngine['name'], number> = { tensorflow: 30, wasm: 10, cpu: 3 };

/** Throws `busy` while a run has the device, or why the engine does not compute. */
export async function selfTest(host: Pick<EngineHost, 'runJob'>, name: ComputeEngine['name']): Promise<SelfTest> {
  const { batchSize, ...model } = SHAPE;
  const config = resolveWithData(
    parseConfig({
      model: { ...model, size: 'custom', numHeads: 3 },
      data: { source: 'sample' },
      train: { batchSize },
      engine: { backend: name },
    }),
    { trainCount: 1000, channels: 1, numClasses: 10, mean: [0.5], std: [0.5] },
  );
  const steps = STEPS[name];
  const { stepMs, backend } = await host.runJob(config.engine, (client) =>
    client.request('measurePhase', { config, phase: 'full', ranks: {}, steps }),
  );
  return { backend, stepMs, steps, shape: SHAPE };
}
