/**
 * The desktop bridge. Requests and single events go through `window.workbench` (electron/preload.ts); frames come over a
 * MessagePort straight from the engine host, which the preload hands to the page once by `postMessage('workbench:frames')`.
 */
import type { Reply } from '../../main/protocol/reply.ts';
import type { Connection, Transport } from './transport.ts';

export interface WorkbenchBridge {
  request(name: string, arg: unknown): Promise<Reply<unknown>>;
  on(event: string, listener: (payload: unknown) => void): () => void;
}

declare global {
  interface Window {
    workbench?: WorkbenchBridge;
  }
}

const EVENTS = ['run:frame', 'switch:proposed', 'runs:changed', 'trainer:exited', 'task:progress', 'menu:command'] as const;

export function electronTransport(bridge: WorkbenchBridge): Transport {
  const listeners = new Set<(event: string, payload: unknown) => void>();
  const emit = (event: string, payload: unknown): void => {
    for (const listener of listeners) listener(event, payload);
  };
  for (const event of EVENTS) bridge.on(event, (payload) => emit(event, payload));
  window.addEventListener('message', (message) => {
    const port = message.source === window && message.data === 'workbench:frames' ? message.ports[0] : undefined;
    if (port) port.onmessage = ({ data }: MessageEvent<{ event: string; payload: unknown }>) => emit(data.event, data.payload);
  });
  return {
    request: (name, arg) => bridge.request(name, arg),
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
