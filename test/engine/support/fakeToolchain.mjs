/** Makes an addon without a compiler and finds it in order, for an install's `makeAddon` and `testAddon`; `slow` is the one that takes 5 s. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export function fakeToolchain(slow) {
  const linger = (stage) => sleep(slow === stage ? 5000 : 0);
  return {
    async makeAddon(folder, { onProgress }) {
      onProgress({ stage: 'compile', message: 'compiling' });
      await linger('compile');
      await mkdir(path.join(folder, 'lib', 'napi-v8'), { recursive: true });
      await writeFile(path.join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'), 'an addon');
      return 'compiled';
    },
    async testAddon(_folder, { onProgress }) {
      onProgress({ stage: 'test', message: 'testing' });
      await linger('test');
      return { version: '1.0', onGpu: false };
    },
  };
}
