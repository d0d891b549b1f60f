/**
 * From what the user names (families, modules, `paper`) to modules: which get adapters, which take part in the test, which linears
 * the freeze stops (method.md sections 4, 7 and 10).
 */
import type { ModelShape, RunConfig } from '../protocol/config.ts';
import { FAMILIES, type Family } from '../protocol/families.ts';
import { PreloraError } from '../protocol/reply.ts';
import { allModules, type ModuleName, moduleName, parseModuleName } from './modules.ts';
import { linearShape } from './parameterShapes.ts';

export type PreloraSettings = RunConfig['prelora'];
export type ControlSettings = RunConfig['control'];

/** Adapter rank by module name; 0 or a missing module means no adapter. */
export type Ranks = Readonly<Record<string, number>>;

/** The paper adapts these; k stays unadapted and trainable. */
const PAPER_TARGETS: readonly Family[] = ['q', 'v', 'proj', 'fc1', 'fc2'];

/** Modules of each tested family in block order; a family without modules is missing. */
export type TestedModules = Readonly<Partial<Record<Family, readonly ModuleName[]>>>;

/** The target modules in module order. Throws `bad-config` naming a family or module that the model does not have. */
export function targetModules(targets: PreloraSettings['targetModules'], depth: number): ModuleName[] {
  const names = targets === 'paper' ? PAPER_TARGETS : targets;
  const wanted = new Set(names.flatMap((name) => namedModules(name, depth)));
  return allModules(depth).filter((module) => wanted.has(module));
}

function namedModules(name: string, depth: number): ModuleName[] {
  const family = FAMILIES.find((known) => known === name);
  if (family) return Array.from({ length: depth }, (_, layer) => moduleName(layer, family));
  const place = parseModuleName(name);
  if (place && place.layer < depth) return [moduleName(place.layer, place.family)];
  const rule = place
    ? `the model has blocks 0 to ${depth - 1}`
    : `must be a family (${FAMILIES.join(', ')}) or a module such as blocks.0.attn.q`;
  throw new PreloraError('bad-config', `prelora.targetModules ${JSON.stringify(name)}: ${rule}`, 'prelora.targetModules');
}

/** Who is tested: `targets` takes each family's target modules, a list takes all layers of the families named. */
export function testedModules(
  prelora: Pick<PreloraSettings, 'targetModules' | 'testFamilies'>,
  control: Pick<ControlSettings, 'action'>,
  depth: number,
): TestedModules {
  const targets = targetModules(prelora.targetModules, depth);
  // Without targets (allowed for resetOnly) the test takes all six families.
  const modules =
    prelora.testFamilies !== 'targets' || (targets.length === 0 && control.action === 'resetOnly') ? allModules(depth) : targets;
  const families = prelora.testFamilies === 'targets' ? FAMILIES : prelora.testFamilies;
  const tested: Partial<Record<Family, ModuleName[]>> = {};
  for (const module of modules) {
    const { family } = placeOf(module);
    if (!families.includes(family)) continue;
    const list = tested[family] ?? [];
    list.push(module);
    tested[family] = list;
  }
  return tested;
}

/** Linears whose weight and bias stop at the freeze because of the method; `alsoFreeze` comes on top. */
export function frozenTargets(
  config: {
    model: Pick<ModelShape, 'depth'>;
    prelora: Pick<PreloraSettings, 'targetModules' | 'rankOverrides'>;
    control: Pick<ControlSettings, 'action'>;
  },
  ranks: Ranks,
): ModuleName[] {
  if (config.control.action === 'resetOnly') return [];
  const targets = targetModules(config.prelora.targetModules, config.model.depth);
  if (config.control.action === 'freezeOnly') return targets.filter((module) => config.prelora.rankOverrides[module] !== 0);
  return targets.filter((module) => (ranks[module] ?? 0) > 0);
}

/** Throws `bad-config` when an override names no target module or a rank beyond 0 … min(in, out). */
export function checkRankOverrides(
  overrides: PreloraSettings['rankOverrides'],
  targets: readonly ModuleName[],
  model: Pick<ModelShape, 'depth' | 'embedDim' | 'mlpRatio'>,
): void {
  for (const [module, rank] of Object.entries(overrides)) {
    const field = `prelora.rankOverrides.${module}`;
    const place = parseModuleName(module);
    if (!place || place.layer >= model.depth) {
      throw new PreloraError(
        'bad-config',
        `${field} ${rank}: the model has no module of this name; names look like blocks.0.attn.q`,
        field,
      );
    }
    if (!(targets as readonly string[]).includes(module)) {
      throw new PreloraError('bad-config', `${field} ${rank}: the module gets no adapter; add it to prelora.targetModules first`, field);
    }
    const limit = Math.min(...linearShape(model, place.family));
    if (!Number.isInteger(rank) || rank < 0 || rank > limit) {
      throw new PreloraError(
        'bad-config',
        `${field} ${rank}: must be a whole number from 0 to ${limit} (the module's smaller side)`,
        field,
      );
    }
  }
}

/** Layer and family of a name already known to be a module. */
export function placeOf(module: ModuleName): { layer: number; family: Family } {
  const place = parseModuleName(module);
  if (!place) throw new TypeError(`${module} is not a module name`);
  return place;
}
