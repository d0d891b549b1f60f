/** Requests about configs that no run has yet: checking, reading and writing them, and what they would cost. */
import { configError } from '../core/configIssues.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import { configFromTimm, isTimmArgs } from '../exchange/timmArgs.ts';
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
    'config:fromText': async ({ text }) => configFromText(text),
    'presets:save': ({ name, config }) => saveTemplate(name, config),
    'presets:remove': ({ name }) => removeTemplate(name),
    'weights:describe': ({ source }) => describeStartWeights(source),
    'estimate:compute': async ({ config }) => estimate(config, checkConfig(config), host.dataRoot),
    'estimate:measure': async ({ config }) => measureEstimate(config, checkConfig(config), host),
  };
}

/** A config of ours, or what timm's args.yaml becomes, with a note of what has no counterpart. */
function configFromText(text: string): { config: unknown; notes: string[] } {
  const values = parseConfigText(text, 'the text');
  if (!isTimmArgs(values)) return { config: values, notes: [] };
  const { config, dropped } = configFromTimm(values);
  const notes = [`Taken over from timm for one process; batch ${config.train.batchSize}, learning rate ${config.train.lr}.`];
  return { config, notes: dropped.length > 0 ? [...notes, `Without counterpart: ${dropped.join(', ')}.`] : notes };
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
