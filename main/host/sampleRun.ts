/** The sample in the size that suits this machine: the preset is timed for a few steps in a fresh process, then cut to what it can do in minutes. */
import { parseConfig, resolveWithData } from '../core/resolveConfig.ts';
import { sampleSize } from '../core/sampleSize.ts';
import type { RunConfig } from '../protocol/config.ts';
import { readPreset } from '../store/presets.ts';
import type { EngineHost } from './engineHost.ts';

const MEASURED_STEPS = 8;
/** Of the shipped pictures; speed depends on no more than these. */
const FACTS = { channels: 1, numClasses: 10, mean: [0.286], std: [0.353] };

/** A config for `start`. Throws `busy` while a run is live, or what the engine throws. */
export async function sampleConfig(host: EngineHost): Promise<RunConfig> {
  const preset = (await readPreset('sample')).config as Record<'data' | 'train' | 'prelora', object>;
  const whole = { ...preset, preset: 'sample', name: 'sample' };
  const config = resolveWithData(parseConfig(whole), { ...FACTS, trainCount: 12_000 });
  const { imagesPerSecond } = await host.runJob(config.engine, (client) =>
    client.request('measurePhase', { config, phase: 'full', ranks: {}, steps: MEASURED_STEPS }),
  );
  const { data, train, prelora } = sampleSize(imagesPerSecond, config.train.epochs);
  return parseConfig({
    ...whole,
    data: { ...preset.data, ...data },
    train: { ...preset.train, ...train },
    prelora: { ...preset.prelora, ...prelora },
  });
}
