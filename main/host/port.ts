/**
 * One shape for every wire between two places where our code runs: worker threads, child processes, Electron's utility process and
 * message ports, a WebSocket, or two ends in one process for tests. What is sent over it is rpc.ts's business.
 * After VS Code's base/parts/ipc: transport apart from contract.
 */
import type { ChildProcess } from 'node:child_process';
import type { MessagePort, Worker } from 'node:worker_threads';

export interface Port {
  /** Sends one message; structured clone or JSON, as the wire has it. Dropped silently once the port is closed. */
  post(message: unknown): void;
  /** Gives back an unsubscribe. Messages that come before the first listener wait for it. */
  onMessage(listener: (message: unknown) => void): () => void;
  /** Called once when either end is gone; at once when it is gone already. Gives back an unsubscribe. */
  onClose(listener: (reason: string) => void): () => void;
  close(): void;
}

/** What a wire must be able to do to become a port. */
export interface Wire {
  send(message: unknown): void;
  /** Ends the wire from this side. */
  shut(): void;
}

/** A port and the two things its wire tells it. */
export interface PortEnd {
  port: Port;
  deliver(message: unknown): void;
  closed(reason: string): void;
}

/** Listeners, early messages and the closed state, the same for all wires. */
export function portOver(wire: Wire): PortEnd {
  const listeners = new Set<(message: unknown) => void>();
  const closers = new Set<(reason: string) => void>();
  const early: unknown[] = [];
  let reason: string | null = null;

  const closed = (why: string): void => {
    if (reason !== null) return;
    reason = why;
    for (const closer of [...closers]) closer(why);
    listeners.clear();
    closers.clear();
  };
  const deliver = (message: unknown): void => {
    if (reason !== null) return;
    if (listeners.size === 0) early.push(message);
    for (const listener of [...listeners]) listener(message);
  };
  const port: Port = {
    post(message) {
      if (reason === null) wire.send(message);
    },
    onMessage(listener) {
      listeners.add(listener);
      for (const message of early.splice(0)) listener(message);
      return () => listeners.delete(listener);
    },
    onClose(listener) {
      if (reason === null) closers.add(listener);
      else listener(reason);
      return () => closers.delete(listener);
    },
    close() {
      if (reason !== null) return;
      wire.shut();
      closed('closed');
    },
  };
  return { port, deliver, closed };
}

/** Two joined ends in one process. Messages are cloned and arrive in a later turn, as over a real wire. */
export function portPair(): [Port, Port] {
  const ends: PortEnd[] = [];
  const endAt = (index: number): PortEnd => ends[index] as PortEnd;
  for (const other of [1, 0]) {
    const later = (action: () => void): void => void setImmediate(action);
    ends.push(
      portOver({
        send(message) {
          const copy = structuredClone(message);
          later(() => endAt(other).deliver(copy));
        },
        shut: () => later(() => endAt(other).closed('the other end closed')),
      }),
    );
  }
  return [endAt(0).port, endAt(1).port];
}

/** The parent's end of a worker thread; closing it terminates the thread. */
export function workerPort(worker: Worker): Port {
  const { port, deliver, closed } = portOver({ send: (message) => worker.postMessage(message), shut: () => void worker.terminate() });
  let fault = '';
  worker.on('message', deliver);
  worker.on('error', (error) => {
    fault = `: ${error.message}`;
  });
  worker.on('exit', (code) => closed(`the trainer thread ended with code ${code}${fault}`));
  return port;
}

/** The parent's end of a forked Node process (`serialization: 'advanced'`); closing it kills the process. */
export function childPort(child: ChildProcess): Port {
  const { port, deliver, closed } = portOver({
    // Sending to a child that just died is no error of ours: its exit is reported by `closed`.
    send: (message) => void child.send(message as object, () => {}),
    shut: () => void child.kill('SIGKILL'),
  });
  child.on('message', deliver);
  child.on('error', (error) => closed(`the trainer process cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    const end = (): void => closed(`the trainer process ended with ${signal ?? `code ${code}`}`);
    // What it said last may still be on its way.
    if (child.connected) child.once('disconnect', end);
    else end();
  });
  return port;
}

/** Either end of a worker_threads MessagePort, and `parentPort` inside a worker. */
export function messagePort(wire: MessagePort): Port {
  const { port, deliver, closed } = portOver({ send: (message) => wire.postMessage(message), shut: () => wire.close() });
  wire.on('message', deliver);
  wire.on('close', () => closed('the other end closed'));
  return port;
}

/** The forked process's own end of `childPort`. */
export function processPort(self: NodeJS.Process): Port {
  const { port, deliver, closed } = portOver({ send: (message) => void self.send?.(message), shut: () => self.disconnect?.() });
  self.on('message', deliver);
  self.on('disconnect', () => closed('the parent process is gone'));
  return port;
}

/** Ends a forked process once everything it has posted is on its way: an exit alone would drop what waits for a busy parent. */
export function exitAfterLastMessage(self: NodeJS.Process): void {
  if (self.send && self.connected) self.send(null, () => self.exit(0));
  else self.exit(0);
}

/** Electron's message ports and `process.parentPort`: the message lies in `event.data`. */
export interface MessageEventWire {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown;
  start?(): void;
  close?(): void;
}

/** `whenClosed` registers for the wire's end, where it tells of one: `process.parentPort` ends with its process. */
export function messageEventPort(wire: MessageEventWire, whenClosed?: (listener: () => void) => unknown): Port {
  const { port, deliver, closed } = portOver({ send: (message) => wire.postMessage(message), shut: () => wire.close?.() });
  wire.on('message', ({ data }) => deliver(data));
  whenClosed?.(() => closed('the other end closed'));
  wire.start?.();
  return port;
}
