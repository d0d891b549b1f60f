/**
 * The utility process that holds the engine host: forks it with the environment that native code reads, restarts it when it dies (not after
 * three crashes in five minutes), closes it with a checkpoint, and joins it to the page by a port for frames.
 */
import path from 'node:path';
import { app, type BrowserWindow, MessageChannelMain, type UtilityProcess, utilityProcess } from 'electron';
import { nativeEnvironment } from '../main/engine/environment.ts';
import { findEngine } from '../main/engine/installed.ts';
import { memoryKills } from '../main/engine/outOfMemory.ts';
import { CrashPolicy } from '../main/host/crashPolicy.ts';
import { type Port, portOver } from '../main/host/port.ts';
import { createClient, failed, type RpcClient } from '../main/host/rpc.ts';
import { type Presence, PUSH_NAMES, type PushEvents, type ShellEvents } from '../main/protocol/events.ts';
import { PreloraError, type Reply } from '../main/protocol/reply.ts';
import type { engineRequests } from '../main/protocol/requests.ts';

type Events = PushEvents & ShellEvents;
type Client = RpcClient<typeof engineRequests, Events>;
type PushName = keyof PushEvents;

const RESTART_MS = 500;

/** Shown by the system's own list of processes, and in what it tells of their deaths. */
const SERVICE = 'PreLoRA engine';

/** A run that died with the engine process; the next one records it (hostEntry.ts). */
export interface LostRun {
  runId: string;
  reason: string;
  wasKilledForMemory: boolean;
}

export interface EngineListener {
  push(event: PushName, payload: unknown): void;
  presence(presence: Presence | null): void;
}

export class EngineProcess {
  #child: UtilityProcess | null = null;
  #client: Client | null = null;
  #page: BrowserWindow | null = null;
  #presence: Presence | null = null;
  #isClosing = false;
  /** Processes killed for memory when the run began. */
  #killsBefore: number | null = null;
  /** The system itself told that the process ended for want of memory (Windows does). */
  #wasToldOutOfMemory = false;
  readonly #crashes = new CrashPolicy();
  readonly #listeners = new Set<EngineListener>();

  constructor(readonly countKills: () => number | null = memoryKills) {
    app.on('child-process-gone', (_event, { name, serviceName, reason }) => {
      if (reason === 'oom' && (name === SERVICE || serviceName === SERVICE)) this.#wasToldOutOfMemory = true;
    });
  }

  listen(listener: EngineListener): void {
    this.#listeners.add(listener);
  }

  /** The run that is being trained, as last told. */
  get presence(): Presence | null {
    return this.#presence;
  }

  /** `lost` is the run that the process before this one took with it. */
  start(lost: LostRun | null = null): void {
    const args = lost ? [`--lost=${JSON.stringify(lost)}`] : [];
    const child = utilityProcess.fork(path.join(app.getAppPath(), 'dist', 'electron', 'hostEntry.js'), args, {
      serviceName: SERVICE,
      env: { ...process.env, ...engineEnvironment() },
      stdio: 'inherit',
    });
    const port = utilityPort(child);
    const client = createClient<typeof engineRequests, Events>(port);
    // Every push goes on to the page; frames have a port of their own once the page is joined.
    for (const event of PUSH_NAMES) client.on(event, (payload) => this.#tell(event, payload));
    client.on('host:presence', (presence) => this.#setPresence(presence));
    // A turn later: the system's word on the cause may come after the exit.
    port.onClose((reason) => setImmediate(() => this.#afterExit(reason)));
    this.#child = child;
    this.#client = client;
    if (this.#page) this.joinPage(this.#page);
  }

  /** One request of the page to its reply, whose value is JSON text; the engine host parses and answers. Never rejects. */
  async ask(name: string, arg: unknown): Promise<Reply<string>> {
    if (!this.#client) return failed(new PreloraError('trainer-exited', 'the engine process is not running; restart the program'));
    try {
      return { ok: true, value: (await this.#client.request(name as keyof typeof engineRequests, arg as never)) as unknown as string };
    } catch (error) {
      return failed(error);
    }
  }

  /** Gives page and engine host the two ends of a channel, so that frames do not pass through this process. */
  joinPage(window: BrowserWindow): void {
    this.#page = window;
    if (!this.#child || window.isDestroyed()) return;
    const { port1, port2 } = new MessageChannelMain();
    this.#child.postMessage('workbench:frames', [port1]);
    window.webContents.postMessage('workbench:frames', null, [port2]);
  }

  /** For runs whose clocks went on while the machine slept. */
  tellSlept(ms: number): void {
    this.#child?.postMessage({ slept: ms });
  }

  /** Stops the run with a checkpoint and ends the process; gives up after `patienceMs`. */
  async close(patienceMs: number): Promise<void> {
    this.#isClosing = true;
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
    child.postMessage('workbench:close');
    const timer = setTimeout(() => child.kill(), patienceMs);
    await gone;
    clearTimeout(timer);
  }

  #tell(event: PushName, payload: unknown): void {
    for (const listener of this.#listeners) listener.push(event, payload);
  }

  #setPresence(presence: Presence | null): void {
    if (presence && presence.runId !== this.#presence?.runId) this.#killsBefore = this.countKills();
    this.#presence = presence;
    for (const listener of this.#listeners) listener.presence(presence);
  }

  /** The window stays; the run, if any, is offered for resuming. */
  #afterExit(reason: string): void {
    const lost = this.#presence && { runId: this.#presence.runId, reason, wasKilledForMemory: this.#wasKilledForMemory() };
    this.#child = null;
    this.#client = null;
    this.#setPresence(null);
    if (this.#isClosing) return;
    const mayRestart = this.#crashes.record(performance.now());
    const advice = mayRestart
      ? 'resume goes on from its last checkpoint'
      : 'it crashed three times in five minutes and is not started again';
    const cause = lost?.wasKilledForMemory ? `${reason}, most likely because memory ran out` : reason;
    if (lost) this.#tell('trainer:exited', { runId: lost.runId, reason: `${cause}; ${advice}`, resumable: mayRestart });
    if (mayRestart) setTimeout(() => this.#restart(lost), RESTART_MS);
  }

  #wasKilledForMemory(): boolean {
    const kills = this.countKills();
    const isCounted = kills !== null && this.#killsBefore !== null && kills > this.#killsBefore;
    const wasTold = this.#wasToldOutOfMemory;
    this.#wasToldOutOfMemory = false;
    return isCounted || wasTold;
  }

  #restart(lost: LostRun | null): void {
    if (this.#isClosing) return;
    this.start(lost);
    if (lost) this.#tell('runs:changed', { runIds: [lost.runId] });
  }
}

/** What TensorFlow and the allocator read natively, before the process starts. Data root and the like pass through. */
function engineEnvironment(): Record<string, string> {
  return nativeEnvironment({ threads: null, xla: false, engine: findEngine() });
}

function utilityPort(child: UtilityProcess): Port {
  const { port, deliver, closed } = portOver({ send: (message) => child.postMessage(message), shut: () => void child.kill() });
  child.on('message', deliver);
  child.on('exit', (code) => closed(`the engine process ended with code ${code}`));
  return port;
}
