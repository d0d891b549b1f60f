/**
 * Which settings may change while a run is going, and in which phase (method.md section 4, product.md section 3). An edit is validated like
 * a new config, acts at a step boundary, and is journalled old → new; everything else is for a fork.
 */
import { checkWithData, type RunLength } from '../core/configRules.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Phase } from '../protocol/run.ts';

const ANY_PHASE = ['train.lr', 'train.weightDecay', 'train.gradClip', 'train.epochs', 'train.earlyStopPatience', 'train.latestEnd'];
const IN_WARMUP = ['prelora.jointSteps', 'prelora.alsoFreeze', 'prelora.optimizerAtFreeze', 'prelora.lrRampSteps'];
const IN_LORA = ['prelora.snapshotEvery'];

export interface ConfigChange {
  field: string;
  from: unknown;
  to: unknown;
}

/** The config after an edit, and what differs. Throws `bad-config` for a field that may not change now or a value out of range. */
export function editConfig(
  config: ResolvedConfig,
  changes: Record<string, unknown>,
  { phase, stepsPerEpoch }: { phase: Phase; stepsPerEpoch: number },
): { config: ResolvedConfig; changed: ConfigChange[] } {
  const edited = structuredClone(config) as unknown as Record<string, Record<string, unknown>>;
  for (const [field, value] of Object.entries(changes)) {
    if (!mayChange(field, phase)) {
      const message = `${field} cannot change in phase ${phase}; fork the run with this change instead`;
      throw new PreloraError('bad-config', message, field);
    }
    setField(edited, field, value);
  }
  const checked = parseConfig(edited) as unknown as ResolvedConfig;
  const length: RunLength = { stepsPerEpoch, totalSteps: checked.train.epochs * stepsPerEpoch };
  if (phase === 'full') checkWithData(checked, length);
  const changed = Object.keys(changes)
    .map((field) => ({ field, from: fieldOf(config, field), to: fieldOf(checked, field) }))
    .filter(({ from, to }) => JSON.stringify(from) !== JSON.stringify(to));
  return { config: checked, changed };
}

function mayChange(field: string, phase: Phase): boolean {
  if (ANY_PHASE.includes(field)) return true;
  if (phase === 'full') return field.startsWith('prelora.') || field.startsWith('control.');
  return (phase === 'warmup' ? IN_WARMUP : IN_LORA).includes(field);
}

function setField(config: Record<string, Record<string, unknown>>, field: string, value: unknown): void {
  const [section, name] = field.split('.') as [string, string | undefined];
  if (name === undefined) Object.assign(config, { [section]: value });
  else Object.assign(config[section] ?? {}, { [name]: value });
}

function fieldOf(config: object, field: string): unknown {
  return field.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], config);
}
