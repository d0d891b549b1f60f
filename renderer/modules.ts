/** Module names as the page shows them: `blocks.3.attn.q` ↔ layer 3, family q (architecture.md section 6). */
import { FAMILIES, type Family } from '../main/protocol/families.ts';

export interface ModulePlace {
  layer: number;
  family: Family;
}

/** The path of a module; `layer` from 0. */
export function moduleName(layer: number, family: Family): string {
  return `blocks.${layer}.${family === 'fc1' || family === 'fc2' ? 'mlp' : 'attn'}.${family}`;
}

/** Layer and family of a module's path; null where it is none. */
export function placeOf(module: string): ModulePlace | null {
  const match = /^blocks\.(\d+)\.(?:attn|mlp)\.(q|k|v|proj|fc1|fc2)$/.exec(module);
  return match ? { layer: Number(match[1]), family: match[2] as Family } : null;
}

/** Does every word of a search such as "3 q" fit the module? A number means the layer, a word any part of the name. */
export function matchesModule(module: string, search: string): boolean {
  const place = placeOf(module);
  return search
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => (/^\d+$/.test(word) ? place?.layer === Number(word) : place?.family === word || module.includes(word)));
}

/** Number of blocks among some module names. */
export function depthOf(modules: Iterable<string>): number {
  let depth = 0;
  for (const module of modules) depth = Math.max(depth, (placeOf(module)?.layer ?? -1) + 1);
  return depth;
}

/** Parameters of adapters of these ranks: r · (in + out) each (method.md section 13). */
export function adapterParameters(ranks: Readonly<Record<string, number>>, model: { embedDim: number | null; mlpRatio: number }): number {
  const embedDim = model.embedDim ?? 0;
  const hidden = Math.round(embedDim * model.mlpRatio);
  return Object.entries(ranks).reduce((sum, [module, rank]) => {
    const isMlp = module.includes('.mlp.');
    return sum + rank * (embedDim + (isMlp ? hidden : embedDim));
  }, 0);
}

export { FAMILIES, type Family };
