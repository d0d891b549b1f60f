/** Requests about configs that no run has yet: checking, reading and writing them, and what they would cost. */
import { configError } from '../core/configIssues.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import { RunConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { formatYaml, parseConfigText } from '../store/configFile.ts';
import { removeTemplate, saveTemplate } from '../store/presets.ts';
import type { EngineHost } from './engineHost.ts';
import { estimate, measureEstimate } from './estimate.ts';
import type { EngineHandlers } from './handlers.ts';
import { describeStartWeights } from './startWeights.ts';

type Names = `config:${string}` | `presets:${string}` | `estimate:${string}` | 'weights:describe';

export function configHandlers(host: EngineHost): Pick<EngineHandlers, Extract<keyof EngineHandlers, Names>> {
  return {
    'config:check': async ({ config }) => checkConfig(config),
    async 'config:toYaml'({ config }) {
      if (typeof config !== 'object' || config === null)
        throw new PreloraError('bad-arguments', 'config: must be a group of fields', 'config');
      return { yaml: formatYaml(config) };
    },
    'config:fromText': async ({ text }) => ({ config: parseConfigText(text, 'the text') }),
    'presets:save': ({ name, config }) => saveTemplate(name, config),
    'presets:remove': ({ name }) => removeTemplate(name),
    'weights:describe': ({ source }) => describeStartWeights(source),
    'estimate:compute': async ({ config }) => estimate(config, checkConfig(config), host.dataRoot),
    'estimate:measure': async ({ config }) => measureEstimate(config, checkConfig(config), host),
  };
}

/** Every fault of the schema, each at its field; when there is none, the first broken rule between fields. */
export function checkConfig(config: unknown): { field: string; message: string }[] {
  const parsed = RunConfig.safeParse(config);
  if (!parsed.success) return parsed.error.issues.map((issue) => problemOf(configError([issue], config)));
  try {
    parseConfig(config);
    return [];
  } catch (error) {
    if (error instanceof PreloraError) return [problemOf(error)];
    throw error;
  }
}

function problemOf({ field, message }: PreloraError): { field: string; message: string } {
  return { field: field ?? '', message };
}
