/**
 * What @tensorflow/tfjs-node-gpu 4.22 takes from Node that newer Node no longer has: `util.isNullOrUndefined` and `util.isArray` are gone in
 * Node ≥ 23 (Electron ≥ 40). Imported for its effect before the first require of any tfjs package. Cured by a tfjs-node newer than 4.22.
 */
import util from 'node:util';

const removedFromNode = {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: (value: unknown) => Array.isArray(value),
};

for (const [name, implementation] of Object.entries(removedFromNode)) {
  if (!(name in util)) Object.defineProperty(util, name, { value: implementation, configurable: true, writable: true });
}
