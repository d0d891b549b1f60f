/**
 * Numbered calls, replies and pushes over any port. The wire's whole vocabulary: `{ id, name, arg }` asks, `{ id, ok, … }` answers,
 * `{ event, payload }` tells. Every call settles exactly once, also when the other end dies; arguments are parsed at the door.
 * After Signal Desktop's ts/sql/main.main.ts (numbered requests, a map of waiting promises), typed by one map of schemas.
 */
import { type ErrorCode, PreloraError, type Reply } from '../protocol/reply.ts';
import type { HandlersOf, RequestMap } from '../protocol/requests.ts';
import type { Port } from './port.ts';

export interface RequestMessage {
  id: number;
  name: string;
  arg: unknown;
}
export type ReplyMessage = { id: number } & Reply<unknown>;
export interface PushMessage {
  event: string;
  payload: unknown;
}

type ArgsOf<R extends RequestMap> = { [K in keyof R]: R[K]['arg']['_zod']['input'] };
type ResultsOf<R extends RequestMap> = { [K in keyof R]: R[K]['result']['_zod']['output'] };

/** Tells of a fault that is not the caller's: the stack goes to the log, a plain sentence to the caller. */
export type FaultLog = (where: string, error: unknown) => void;

/** Answers requests that come over `port` until it closes. Messages that are no request are ignored. Gives back an unsubscribe. */
export function serveRequests<R extends RequestMap>(port: Port, requests: R, handlers: HandlersOf<R>, log: FaultLog): () => void {
  return port.onMessage((message) => {
    if (!isRequest(message)) return;
    const { id, name, arg } = message;
    void answer(requests, handlers, { name, arg }, log).then((reply) => port.post({ id, ...reply }));
  });
}

/** One request to its reply; never rejects. Exported for the shell, whose calls come by `ipcMain.handle` and not over a port. */
export async function answer<R extends RequestMap>(
  requests: R,
  handlers: HandlersOf<R>,
  { name, arg }: { name: string; arg: unknown },
  log: FaultLog,
): Promise<Reply<unknown>> {
  // Own properties only: `constructor` or `__proto__` is no request.
  if (!Object.hasOwn(requests, name)) return failed(new PreloraError('bad-arguments', `${shorten(name)}: no such request`));
  const parsed = (requests[name] as RequestMap[string]).arg.safeParse(arg);
  if (!parsed.success) return failed(argumentError(name, parsed.error.issues));
  try {
    const handler = handlers[name] as (arg: unknown) => Promise<unknown>;
    return { ok: true, value: await handler(parsed.data) };
  } catch (error) {
    if (!(error instanceof PreloraError)) log(name, error);
    return failed(error);
  }
}

/** An error as data. What is not meant for the user becomes `internal` with its first line. */
export function failed(error: unknown): Reply<never> & { ok: false } {
  if (error instanceof PreloraError) {
    const { code, message, field } = error;
    return { ok: false, error: { code, message, ...(field === undefined ? {} : { field }) } };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { ok: false, error: { code: 'internal', message: text.split('\n')[0] || 'unknown fault' } };
}

/** The asking end. */
export interface RpcClient<R extends RequestMap, E extends object> {
  /** Throws the PreloraError that the other end replied with, or `trainer-exited` when it is gone. */
  request<K extends keyof R & string>(name: K, arg: ArgsOf<R>[K]): Promise<ResultsOf<R>[K]>;
  /** Listens to one push. Gives back an unsubscribe. */
  on<K extends keyof E & string>(event: K, listener: (payload: E[K]) => void): () => void;
  /** Requests that wait for a reply; for tests of leaks. */
  readonly waiting: number;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Asks over `port`. `R` and `E` are what the other end serves and pushes. */
export function createClient<R extends RequestMap, E extends object>(port: Port): RpcClient<R, E> {
  const waiting = new Map<number, Waiting>();
  const listeners = new Map<string, Set<(payload: never) => void>>();
  let nextId = 1;
  let gone: string | null = null;

  port.onMessage((message) => {
    if (isPush(message)) for (const listener of [...(listeners.get(message.event) ?? [])]) listener(message.payload as never);
    if (isReply(message)) settle(waiting, message);
  });
  port.onClose((reason) => {
    gone = reason;
    for (const { reject } of waiting.values()) reject(new PreloraError('trainer-exited', reason));
    waiting.clear();
  });
  return {
    request(name, arg) {
      if (gone !== null) return Promise.reject(new PreloraError('trainer-exited', gone));
      return new Promise((resolve, reject) => {
        const id = nextId++;
        waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
        port.post({ id, name, arg } satisfies RequestMessage);
      });
    },
    on(event, listener) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set.add(listener));
      return () => set.delete(listener);
    },
    get waiting() {
      return waiting.size;
    },
  };
}

function settle(waiting: Map<number, Waiting>, reply: ReplyMessage): void {
  const caller = waiting.get(reply.id);
  waiting.delete(reply.id);
  if (reply.ok) caller?.resolve(reply.value);
  else caller?.reject(new PreloraError(reply.error.code as ErrorCode, reply.error.message, reply.error.field));
}

/**
 * A port whose replies carry their values as JSON text. For wires with many hops that copy: a text is copied as a block, the objects of a long
 * run one field at a time (a run of 100,000 steps took seconds to reach the page of the desktop app).
 */
export function withTextReplies(port: Port): Port {
  const post = (message: unknown): void => {
    port.post(isReply(message) && message.ok ? { ...message, value: JSON.stringify(message.value) } : message);
  };
  return { ...port, post };
}

/** Sends one push of the events `E`. */
export function push<E extends object, K extends keyof E & string>(port: Port, event: K, payload: E[K]): void {
  port.post({ event, payload } satisfies PushMessage);
}

export function isRequest(message: unknown): message is RequestMessage {
  const { id, name } = fieldsOf(message);
  return Number.isSafeInteger(id) && typeof name === 'string';
}

function isReply(message: unknown): message is ReplyMessage {
  const { id, ok } = fieldsOf(message);
  return Number.isSafeInteger(id) && typeof ok === 'boolean';
}

function isPush(message: unknown): message is PushMessage {
  return typeof fieldsOf(message).event === 'string';
}

function fieldsOf(message: unknown): Record<string, unknown> {
  return typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : {};
}

function argumentError(name: string, issues: readonly { path: readonly PropertyKey[]; message: string }[]): PreloraError {
  const issue = issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  return new PreloraError('bad-arguments', `${name}: ${field === '' ? 'the argument' : field}: ${issue?.message}`, field || undefined);
}

function shorten(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
