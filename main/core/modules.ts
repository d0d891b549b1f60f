/**
 * Names of the six linear layers of every block, in the one order used for ties, lists and files: block index, then q k v proj
 * fc1 fc2 (method.md section 1, architecture.md section 6).
 */
import { FAMILIES, type Family } from '../protocol/families.ts';

export type ModuleName = `blocks.${number}.attn.${'q' | 'k' | 'v' | 'proj'}` | `blocks.${number}.mlp.${'fc1' | 'fc2'}`;

export interface ModulePlace {
  layer: number;
  family: Family;
}

/** `moduleName(3, 'q')` is `blocks.3.attn.q`. */
export function moduleName(layer: number, family: Family): ModuleName {
  const part = family === 'fc1' || family === 'fc2' ? 'mlp' : 'attn';
  return `blocks.${layer}.${part}.${family}` as ModuleName;
}

const PATTERN = /^blocks\.(0|[1-9]\d*)\.(?:attn\.(q|k|v|proj)|mlp\.(fc1|fc2))$/;

/** The layer and family of a module name, or null when it is none. */
export function parseModuleName(name: string): ModulePlace | null {
  const match = PATTERN.exec(name);
  if (!match) return null;
  return { layer: Number(match[1]), family: (match[2] ?? match[3]) as Family };
}

/** All 6·depth modules in module order. */
export function allModules(depth: number): ModuleName[] {
  return Array.from({ length: depth }, (_, layer) => FAMILIES.map((family) => moduleName(layer, family))).flat();
}
