/** What carries requests and pushes: one of these two verbs, whatever is underneath. Only api.ts uses it. */
import type { Reply } from '../../main/protocol/reply.ts';

export type Connection = 'connecting' | 'open' | 'lost';

export interface Transport {
  /** Settles exactly once; a broken connection is a failed reply, not a rejection. */
  request(name: string, arg: unknown): Promise<Reply<unknown>>;
  /** All pushes. Gives back an unsubscribe. */
  onPush(listener: (event: string, payload: unknown) => void): () => void;
  /** The state of the connection, now and after every change. Gives back an unsubscribe. */
  onConnection(listener: (state: Connection) => void): () => void;
}
