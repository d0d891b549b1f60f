/** An api for state classes: answers are given by hand, pushes are sent by hand, requests are remembered. */
import type { Api, PageEvents } from '../../renderer/api.ts';
import type { Connection } from '../../renderer/transport/transport.ts';

export interface FakeApi extends Api {
  asked: { name: string; arg: unknown }[];
  answers: Record<string, (arg: never) => unknown>;
  push<E extends keyof PageEvents>(event: E, payload: PageEvents[E]): void;
  connection(state: Connection): void;
  /** Listeners still there: a closed screen leaves none. */
  readonly listeners: number;
}

export function fakeApi(answers: Record<string, (arg: never) => unknown> = {}): FakeApi {
  const pushes = new Map<string, Set<(payload: never) => void>>();
  const connections = new Set<(state: Connection) => void>();
  const api: FakeApi = {
    asked: [],
    answers,
    async request(name, arg) {
      api.asked.push({ name, arg });
      const answer = api.answers[name];
      return (answer ? await answer(arg as never) : undefined) as never;
    },
    on(event, listener) {
      const set = pushes.get(event) ?? new Set();
      pushes.set(event, set.add(listener as (payload: never) => void));
      return () => set.delete(listener as (payload: never) => void);
    },
    onConnection(listener) {
      connections.add(listener);
      listener('open');
      return () => connections.delete(listener);
    },
    push(event, payload) {
      for (const listener of pushes.get(event) ?? []) listener(payload as never);
    },
    connection(state) {
      for (const listener of connections) listener(state);
    },
    get listeners() {
      return connections.size + [...pushes.values()].reduce((sum, set) => sum + set.size, 0);
    },
  };
  return api;
}
