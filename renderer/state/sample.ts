/** Run the sample: the shipped preset on the shipped pictures, nothing to choose (product.md, J1). */
import type { AppDescription } from '../../main/protocol/requests.ts';
import type { Api } from '../api.ts';

/** Starts the sample and gives its run id. Throws what `run:start` throws. */
export async function startSample(api: Api, facts: AppDescription | null): Promise<string> {
  const { presets } = facts ?? (await api.request('app:describe', {}));
  const preset = presets.find(({ name }) => name === 'sample');
  const base = preset?.config && typeof preset.config === 'object' ? preset.config : { data: { source: 'sample' } };
  const { runId } = await api.request('run:start', { config: { ...base, name: 'sample', preset: 'sample' } });
  return runId;
}

export function isSample(preset: string | null): boolean {
  return preset === 'sample';
}
