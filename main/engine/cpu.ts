/** The plain JavaScript backend: exact and slow, for unit tests and as the last resort. */
import { createRequire } from 'node:module';
import type { KernelBackend } from '@tensorflow/tfjs-core';
import { tf } from './tf.ts';

const require = createRequire(import.meta.url);

/** Registers the backend, makes it tfjs's current one and gives it back. */
export async function startCpu(): Promise<{ backend: KernelBackend; version: string }> {
  const cpu = require('@tensorflow/tfjs-backend-cpu') as typeof import('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  await tf.ready();
  const backend = tf.backend();
  // Else the first tensor prints an advertisement for tfjs-node to stderr.
  Reflect.set(backend, 'firstUse', false);
  return { backend, version: cpu.version_cpu };
}
