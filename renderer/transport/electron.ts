/**
 * The desktop bridge. Requests and single events go through `window.workbench` (electron/preload.ts); frames come over a
 * MessagePort straight from the engine host, which the preload hands to the page once by `postMessage('workbench:frames')`.
 */
import { PUSH_NAMES, SHELL_PUSH_NAMES } from '../../main/protocol/events.ts';
import type { Reply } from '../../main/protocol/reply.ts';
import type { Connection, Transport } from './transport.ts';

/** A reply of the engine comes as JSON text: a bridge copies objects one field at a time. */
export type BridgeReply = Reply<unknown> | { ok: true; text: string | undefined };

export interface WorkbenchBridge {
  request(name: string, arg: unknown): Promise<BridgeReply>;
  on(event: string, listener: (payload: unknown) => void): () => void;
}

declare global {
  interface Window {
    workbench?: WorkbenchBridge;
  }
}

export function electronTransport(bridge: WorkbenchBridge): Transport {
  const listeners = new Set<(event: string, payload: unknown) => void>();
  const emit = (event: string, payload: unknown): void => {
    for (const listener of listeners) listener(event, payload);
  };
  for (const event of [...PUSH_NAMES, ...SHELL_PUSH_NAMES]) bridge.on(event, (payload) => emit(event, payload));
  window.addEventListener('message', (message) => {
    const port = message.source === window && message.data === 'workbench:frames' ? message.ports[0] : undefined;
    if (port) port.onmessage = ({ data }: MessageEvent<{ event: string; payload: unknown }>) => emit(data.event, data.payload);
  });
  return {
    request: async (name, arg) => unpack(await bridge.request(name, arg)),
    onPush(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onConnection(listener: (state: Connection) => void) {
      listener('open');
      return () => {};
    },
  };
}

/** A result of nothing has no text. */
function unpack(reply: BridgeReply): Reply<unknown> {
  return 'text' in reply ? { ok: true, value: reply.text === undefined ? undefined : JSON.parse(reply.text) } : reply;
}
