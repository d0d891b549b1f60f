/** The arguments that say what to train, the same for every command that trains or estimates. */
import { resolveConfig } from '../core/resolveConfig.ts';
import { readConfigFile } from '../store/configFile.ts';
import { readPreset } from '../store/presets.ts';

export const CONFIG_OPTIONS = {
  preset: { type: 'string' },
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  backend: { type: 'string' },
} as const;

interface ConfigValues {
  preset?: string | undefined;
  config?: string | undefined;
  set?: string[] | undefined;
  backend?: string | undefined;
}

/** Defaults ← preset ← file ← `--set`, `--backend`. Throws `bad-config`, or `not-found` for a preset. */
export async function configOfArguments(values: ConfigValues): Promise<ReturnType<typeof resolveConfig>> {
  const preset = values.preset === undefined ? undefined : await readPreset(values.preset);
  const set = [...(values.set ?? []), ...(values.backend === undefined ? [] : [`engine.backend=${values.backend}`])];
  return resolveConfig({
    ...(preset ? { preset: { name: preset.name, values: preset.config } } : {}),
    ...(values.config === undefined ? {} : { file: await readConfigFile(values.config) }),
    set,
  });
}
