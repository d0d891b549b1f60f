/** Fails when `work` leaves tensors behind, or bytes in the tensors that were there. */
import { expect } from 'vitest';
import { tf } from '../../main/engine/tf.ts';

export function expectNoLeak(work: () => void): void {
  const before = tf.memory();
  work();
  const after = tf.memory();
  expect(after.numTensors - before.numTensors, 'tensors left behind').toBe(0);
  expect(after.numDataBuffers - before.numDataBuffers, 'data buffers left behind').toBe(0);
}
