/**
 * The page's side of the contract: two verbs, typed by main/protocol. Errors arrive as data and are thrown here as PreloraError.
 * The only user of transport/.
 */
import type { PushEvents, ShellPushes } from '../main/protocol/events.ts';
import { type ErrorCode, PreloraError } from '../main/protocol/reply.ts';
import type { ArgOf, RequestName, ResultOf } from '../main/protocol/requests.ts';
import type { Connection, Transport } from './transport/transport.ts';

/** Pushes of the shell beside those of the engine. */
export type PageEvents = PushEvents & ShellPushes;

export interface Api {
  /** Asks and waits. Throws PreloraError with the engine's code, message and field. */
  request<K extends RequestName>(name: K, arg: ArgOf<K>): Promise<ResultOf<K>>;
  /** Listens to one push. Gives back an unsubscribe. */
  on<E extends keyof PageEvents>(event: E, listener: (payload: PageEvents[E]) => void): () => void;
  onConnection(listener: (state: Connection) => void): () => void;
}

export function createApi(transport: Transport): Api {
  return {
    async request<K extends RequestName>(name: K, arg: ArgOf<K>): Promise<ResultOf<K>> {
      const reply = await transport.request(name, arg);
      if (reply.ok) return reply.value as ResultOf<K>;
      throw new PreloraError(reply.error.code as ErrorCode, reply.error.message, reply.error.field);
    },
    on<E extends keyof PageEvents>(event: E, listener: (payload: PageEvents[E]) => void): () => void {
      return transport.onPush((name, payload) => {
        if (name === event) listener(payload as PageEvents[E]);
      });
    },
    onConnection: (listener) => transport.onConnection(listener),
  };
}

/** What an unknown thrown thing says to the user. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
