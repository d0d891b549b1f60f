/**
 * The one tfjs-core object of the process. All learning code imports `tf` from here and never names a backend; choose.ts sets the backend.
 * Loaded with require, because tfjs-node-gpu's own JavaScript and the wasm and cpu backends require the CommonJS build of tfjs-core: an ESM import
 * would make a second instance with its own registry of kernels, gradients and tensors.
 */
import './nodeShim.ts';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

// For its side effect: tfjs-core's CommonJS build has no gradients of its own, the union package registers them there.
require('@tensorflow/tfjs');

/** tfjs-core without a backend of its own: ops fail with "No backend found" until `chooseBackend()` has run. */
export const tf = require('@tensorflow/tfjs-core') as typeof import('@tensorflow/tfjs-core');
