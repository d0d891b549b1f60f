/** The plain-JavaScript backend, for tests that need no native library. */
import { createRequire } from 'node:module';
import { tf } from '../../../main/engine/tf.ts';

const require = createRequire(import.meta.url);

export async function useCpuBackend(): Promise<void> {
  require('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  await tf.ready();
}
