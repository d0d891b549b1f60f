/**
 * What @tensorflow/tfjs-node-gpu 4.22 takes from Node's `util`: `isNullOrUndefined`, gone in Node ≥ 23 (Electron ≥ 40), and `isArray`, which
 * warns of its deprecation there. Imported for its effect before the first require of any tfjs package. Cured by a tfjs-node newer than 4.22.
 */
import util from 'node:util';

const takenFromNode = {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: (value: unknown) => Array.isArray(value),
};

for (const [name, implementation] of Object.entries(takenFromNode)) {
  Object.defineProperty(util, name, { value: implementation, configurable: true, writable: true });
}
