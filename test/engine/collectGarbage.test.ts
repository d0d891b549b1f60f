/** Arrays that nothing refers to are gone when it returns, those in use are not. */
import { expect, test } from 'vitest';
import { collectGarbage } from '../../main/engine/collectGarbage.ts';

const MEGABYTES = 1 << 20;
const arrayMegabytes = () => process.memoryUsage().arrayBuffers / MEGABYTES;
const arrays = (megabytes: number) => Array.from({ length: megabytes }, () => new Float32Array(MEGABYTES / 4).fill(1));

test('frees the arrays that nothing refers to any more, and only those', () => {
  collectGarbage();
  const before = arrayMegabytes();
  const kept = arrays(16);
  arrays(64);
  collectGarbage();
  expect(arrayMegabytes() - before).toBeLessThan(32);
  expect(kept.every((array) => array.at(-1) === 1)).toBe(true);
});
