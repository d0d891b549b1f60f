/**
 * Browser mode: JSON frames over one WebSocket. Client to server `{id, name, arg}`; back `{id, ok, value}` or `{id, ok, error}`,
 * and pushes `{event, payload}`. The token comes in the address at the first load, is kept for this tab (so that a reload works)
 * and removed from the address bar. A lost connection is retried; waiting requests fail with `trainer-exited` and never hang.
 */
import type { Reply } from '../../main/protocol/reply.ts';
import type { Connection, Transport } from './transport.ts';

const RETRY_MS = [250, 500, 1000, 2000, 5000];
const TOKEN_KEY = 'prelora.token';

type Incoming = ({ id: number } & Reply<unknown>) | { event: string; payload: unknown };

/** Takes the token out of `?token=` or `#token=`; later loads of the tab find it in the session. */
export function takeToken(location: Location, history: History, session: Storage): string {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.startsWith('#token=') ? location.hash.slice(1) : '');
  const given = fragment.get('token') ?? query.get('token');
  if (given === null) return session.getItem(TOKEN_KEY) ?? '';
  session.setItem(TOKEN_KEY, given);
  query.delete('token');
  const rest = query.size > 0 ? `?${query}` : '';
  const hash = fragment.has('token') ? '' : location.hash;
  history.replaceState(null, '', `${location.pathname}${rest}${hash}`);
  return given;
}

export class WebSocketTransport implements Transport {
  #socket: WebSocket | null = null;
  #state: Connection = 'connecting';
  #attempt = 0;
  #nextId = 1;
  readonly #url: string;
  readonly #waiting = new Map<number, (reply: Reply<unknown>) => void>();
  readonly #unsent = new Map<number, string>();
  readonly #push = new Set<(event: string, payload: unknown) => void>();
  readonly #connection = new Set<(state: Connection) => void>();

  constructor(url: string) {
    this.#url = url;
    this.#connect();
  }

  request(name: string, arg: unknown): Promise<Reply<unknown>> {
    const id = this.#nextId++;
    const text = JSON.stringify({ id, name, arg });
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
      else if (this.#state === 'connecting') this.#unsent.set(id, text);
      else this.#settle(id, lostReply());
    });
  }

  onPush(listener: (event: string, payload: unknown) => void): () => void {
    this.#push.add(listener);
    return () => this.#push.delete(listener);
  }

  onConnection(listener: (state: Connection) => void): () => void {
    this.#connection.add(listener);
    listener(this.#state);
    return () => this.#connection.delete(listener);
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempt = 0;
      this.#enter('open');
      for (const text of this.#unsent.values()) socket.send(text);
      this.#unsent.clear();
    };
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as Incoming);
    socket.onclose = () => this.#retry();
  }

  #take(message: Incoming): void {
    if ('event' in message) {
      for (const listener of this.#push) listener(message.event, message.payload);
    } else {
      this.#settle(message.id, message);
    }
  }

  #settle(id: number, reply: Reply<unknown>): void {
    this.#waiting.get(id)?.(reply);
    this.#waiting.delete(id);
  }

  #retry(): void {
    this.#unsent.clear();
    for (const id of [...this.#waiting.keys()]) this.#settle(id, lostReply());
    this.#enter('lost');
    const wait = RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)];
    setTimeout(() => this.#connect(), wait);
  }

  #enter(state: Connection): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#connection) listener(state);
  }
}

function lostReply(): Reply<unknown> {
  return {
    ok: false,
    error: { code: 'trainer-exited', message: 'The connection to the engine is lost; the page reconnects by itself. Training goes on.' },
  };
}

/** The transport of a page loaded from `prelora serve`. */
export function webSocketTransport(): Transport {
  const token = takeToken(window.location, window.history, window.sessionStorage);
  const url = new URL('socket', window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  url.search = token === '' ? '' : `?token=${encodeURIComponent(token)}`;
  return new WebSocketTransport(url.href);
}
