/** Calls over an in-memory pair of ports: each settles once, whatever the other end does. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type Port, portPair } from '../../main/host/port.ts';
import { createClient, push, serveRequests, withTextReplies } from '../../main/host/rpc.ts';
import { PreloraError } from '../../main/protocol/reply.ts';

const requests = {
  double: { arg: z.strictObject({ value: z.number().max(100) }), result: z.number() },
  refuse: { arg: z.strictObject({}), result: z.void() },
  break: { arg: z.strictObject({}), result: z.void() },
  never: { arg: z.strictObject({}), result: z.void() },
};

function connect() {
  const [near, far] = portPair();
  const log = vi.fn();
  serveRequests(
    far,
    requests,
    {
      double: async ({ value }) => 2 * value,
      refuse: async () => {
        throw new PreloraError('busy', 'not now', 'runId');
      },
      break: async () => {
        throw new TypeError('first line\nsecond line');
      },
      never: () => new Promise(() => {}),
    },
    log,
  );
  return { near, far, log, client: createClient<typeof requests, { beep: number }>(near) };
}

/** The next raw reply to a message sent past the client. */
function rawReply(near: Port, message: unknown): Promise<unknown> {
  const reply = new Promise((resolve) => void near.onMessage(resolve));
  near.post(message);
  return reply;
}

describe('a request', () => {
  it('brings its own answer back, also when several wait', async () => {
    const { client } = connect();
    expect(await Promise.all([1, 2, 3].map((value) => client.request('double', { value })))).toEqual([2, 4, 6]);
    expect(client.waiting).toBe(0);
  });

  it('carries the error of a refusal as data', async () => {
    const { client } = connect();
    await expect(client.request('refuse', {})).rejects.toMatchObject({ code: 'busy', message: 'not now', field: 'runId' });
  });

  it('tells a fault by its first line and leaves the rest in the log', async () => {
    const { client, log } = connect();
    await expect(client.request('break', {})).rejects.toMatchObject({ code: 'internal', message: 'first line' });
    expect(log).toHaveBeenCalledWith('break', expect.any(TypeError));
  });

  it('with an argument out of range is refused naming field and rule, before any handler runs', async () => {
    const { client } = connect();
    await expect(client.request('double', { value: 101 })).rejects.toMatchObject({ code: 'bad-arguments', field: 'value' });
  });

  it('for a name that only an object has by birth is refused', async () => {
    const { near } = connect();
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'double ']) {
      expect(await rawReply(near, { id: 1, name, arg: {} })).toMatchObject({ id: 1, ok: false, error: { code: 'bad-arguments' } });
    }
  });

  it('fails with trainer-exited when the other end dies, and so does every later one', async () => {
    const { client, far } = connect();
    const waiting = client.request('never', {});
    far.close();
    await expect(waiting).rejects.toMatchObject({ code: 'trainer-exited' });
    await expect(client.request('double', { value: 1 })).rejects.toMatchObject({ code: 'trainer-exited' });
    expect(client.waiting).toBe(0);
  });

  it('of any shape never brings the server down, and every request that is one is answered (R8)', async () => {
    const { near, client } = connect();
    const message = fc.oneof(
      fc.anything(),
      fc.record({ id: fc.anything(), name: fc.anything(), arg: fc.anything() }),
      fc.record({ id: fc.nat(), name: fc.constantFrom('double', 'refuse', 'x'), arg: fc.anything() }),
    );
    await fc.assert(
      fc.asyncProperty(message, async (sent) => {
        try {
          near.post(sent);
        } catch {
          // Functions and the like cannot be cloned; no wire would carry them.
        }
        expect(await client.request('double', { value: 4 })).toBe(8);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a push', () => {
  it('reaches those who listen for it, until they stop', async () => {
    const { client, far } = connect();
    const heard: number[] = [];
    const stop = client.on('beep', (payload) => heard.push(payload));
    push<{ beep: number }, 'beep'>(far, 'beep', 1);
    await client.request('double', { value: 1 });
    stop();
    push<{ beep: number }, 'beep'>(far, 'beep', 2);
    await client.request('double', { value: 1 });
    expect(heard).toEqual([1]);
  });
});

describe('a port with text replies', () => {
  it('packs the values of replies, and leaves refusals and pushes as they are', async () => {
    const [near, far] = portPair();
    const heard: unknown[] = [];
    near.onMessage((message) => heard.push(message));
    const texts = withTextReplies(far);
    const error = { code: 'busy', message: 'not now' };
    for (const message of [
      { id: 1, ok: true, value: { a: [1] } },
      { id: 2, ok: true },
      { id: 3, ok: false, error },
      { event: 'beep', payload: { b: 2 } },
    ]) {
      texts.post(message);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heard).toEqual([
      { id: 1, ok: true, value: '{"a":[1]}' },
      { id: 2, ok: true, value: undefined },
      { id: 3, ok: false, error },
      { event: 'beep', payload: { b: 2 } },
    ]);
  });
});

describe('a port', () => {
  it('keeps messages that come before anyone listens', async () => {
    const [near, far] = portPair();
    near.post('early');
    await new Promise((resolve) => setImmediate(resolve));
    const heard: unknown[] = [];
    far.onMessage((message) => heard.push(message));
    expect(heard).toEqual(['early']);
  });

  it('tells its end once, and late comers at once', async () => {
    const [near, far] = portPair();
    const closed = vi.fn();
    near.onClose(closed);
    far.close();
    far.close();
    await new Promise((resolve) => setImmediate(resolve));
    near.close();
    near.onClose(closed);
    expect(closed).toHaveBeenCalledTimes(2);
  });
});
