/** What a trainer says last is heard, also by a host that is busy when it says it. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { childPort } from '../../main/host/port.ts';

const talker = fileURLToPath(new URL('../support/talkingProcess.mjs', import.meta.url));

it('every message of a process that ends comes before its end', async () => {
  const child = fork(talker, [], { serialization: 'advanced', execArgv: [] });
  const port = childPort(child);
  const heard: number[] = [];
  port.onMessage((message) => {
    if (message) heard.push((message as { number: number }).number);
    // Slower than the talker: most of it waits in the pipe and in its process.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  });
  const reason = await new Promise((resolve) => void port.onClose(resolve));
  expect(heard).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect(reason).toContain('code 0');
});
