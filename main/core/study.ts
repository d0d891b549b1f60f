/**
 * A study as a list of configs: one recipe × variants × random seeds (method.md section 18). Every run keeps the recipe and its seed; only
 * what defines the variant is changed, so that two variants of one seed share their history up to the switch.
 */
import { type ResolvedConfig, RunConfig, type RunConfigInput } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { NAMED_VARIANTS, type NamedVariant, type StudyMembership, type VariantName } from '../protocol/study.ts';
import type { SizedConfig } from './modelSizes.ts';
import { mergeLayers, parseConfig } from './resolveConfig.ts';
import { parseSet } from './setArgument.ts';

export interface StudyPlan {
  study: string;
  variants: readonly string[];
  seeds: readonly number[];
}

export interface StudyRun extends StudyMembership {
  config: SizedConfig;
}

const SWITCHING = { prelora: { switching: 'auto' }, control: { action: 'prelora', ranks: 'assigned' } } as const;

/** What makes a named variant one, as a layer over the recipe; `value` is what follows the @. */
const LAYERS: Record<VariantName, (value: number | null) => RunConfigInput> = {
  prelora: () => SWITCHING,
  full: () => ({ prelora: { switching: 'off' } }),
  fixed: (epochs) => ({ ...SWITCHING, control: { ...SWITCHING.control, fixedEpoch: epochs } }),
  uniform: (rank) => ({ ...SWITCHING, control: { ...SWITCHING.control, ranks: 'uniform', uniformRank: rank ?? 'matched' } }),
  reversed: () => ({ ...SWITCHING, control: { ...SWITCHING.control, ranks: 'reversed' } }),
  freezeOnly: () => ({ ...SWITCHING, control: { ...SWITCHING.control, action: 'freezeOnly' } }),
  resetOnly: () => ({ ...SWITCHING, control: { ...SWITCHING.control, action: 'resetOnly' } }),
  stateKept: () => withPrelora({ optimizerAtSwitch: 'keepByName', optimizerAtFreeze: 'keepByName', lrRampSteps: 0 }),
  displacement: () => withPrelora({ normMetric: 'displacement', trackDisplacement: true }),
  gradRanks: () => withPrelora({ rankMetric: 'grad' }),
  allFrozen: () => withPrelora({ alsoFreeze: ['k', 'norms', 'embeddings'] }),
};

function withPrelora(fields: RunConfigInput['prelora']): RunConfigInput {
  return { ...SWITCHING, prelora: { ...SWITCHING.prelora, ...fields } };
}

/** The runs of a study, seed by seed, so that an interrupted study still has whole pairs. Throws `bad-config` or `bad-arguments`. */
export function planStudy(recipe: RunConfig, { study, variants, seeds }: StudyPlan): StudyRun[] {
  requireDistinct('variants', variants);
  requireDistinct('seeds', seeds);
  return seeds.flatMap((seed) => variants.map((variant) => ({ study, variant, seed, config: configOf(recipe, { study, variant, seed }) })));
}

function configOf(recipe: RunConfig, { study, variant, seed }: StudyMembership): SizedConfig {
  const own = { name: `${study} ${variant} seed ${seed}`, train: { seed } };
  const config = parseConfig(mergeLayers(mergeLayers(recipe, variantLayer(variant)), own));
  if (config.prelora.switching !== 'manual') return config;
  const rule = 'a study runs unattended, nobody is there to confirm; use auto or off';
  throw new PreloraError('bad-config', `prelora.switching manual: ${rule}`, 'prelora.switching');
}

/** What a variant changes in the recipe. Throws `bad-arguments` for one that does not exist. */
export function variantLayer(variant: string): unknown {
  if (variant.includes('=')) {
    const { path, value } = parseSet(variant);
    return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  }
  const [name, text] = variant.split('@', 2) as [string, string | undefined];
  if (isVariantName(name)) return LAYERS[name](variantValue(name, text));
  const known = Object.keys(NAMED_VARIANTS).join(', ');
  throw new PreloraError('bad-arguments', `variant ${variant}: must be one of ${known}, or path=value`, 'variants');
}

function variantValue(name: VariantName, text: string | undefined): number | null {
  const { value }: NamedVariant = NAMED_VARIANTS[name];
  if (!value && text !== undefined) throw new PreloraError('bad-arguments', `variant ${name}@${text}: ${name} takes no value`, 'variants');
  if (text === undefined) {
    if (!value || value.isOptional) return null;
    throw new PreloraError('bad-arguments', `variant ${name}: needs a value in ${value.unit}, such as ${name}@4`, 'variants');
  }
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new PreloraError('bad-arguments', `variant ${name}@${text}: ${text} is not a number`, 'variants');
}

function isVariantName(name: string): name is VariantName {
  return Object.hasOwn(NAMED_VARIANTS, name);
}

function requireDistinct(field: 'variants' | 'seeds', values: readonly (string | number)[]): void {
  if (values.length === 0) throw new PreloraError('bad-arguments', `${field}: at least one is needed`, field);
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new PreloraError('bad-arguments', `${field}: ${twice} is named twice`, field);
}

/**
 * The first field in which a stored run differs from what the study asks for, or null. What the config leaves open is not compared: the run
 * has decided it.
 */
export function differingField(stored: ResolvedConfig, asked: RunConfig): string | null {
  for (const section of ['model', 'data', 'train', 'prelora', 'control'] as const) {
    const [there, here] = [stored[section], asked[section]] as Record<string, unknown>[];
    for (const [field, value] of Object.entries(here ?? {})) {
      const isDefault = `${section}.${field}` === 'prelora.lrRampSteps' && value === DEFAULT_RAMP;
      if (value !== null && !isDefault && JSON.stringify(there?.[field]) !== JSON.stringify(value)) return `${section}.${field}`;
    }
  }
  return null;
}

/** Shortened in a run that is shorter than it (resolveConfig.ts). */
const DEFAULT_RAMP = RunConfig.parse({}).prelora.lrRampSteps;
