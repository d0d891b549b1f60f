/** The compute engines of the scripted engine: one that is installed, one that can be, one that is always there; nothing is ever fetched. */
import type { ProgressEvent } from '../../../main/protocol/events.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { engineRequests, HandlersOf } from '../../../main/protocol/requests.ts';
import type { AppDescription, ComputeEngine, InstallOutcome, SelfTest } from '../../../main/protocol/results.ts';
import { GIB } from './history.ts';

type Handlers = HandlersOf<typeof engineRequests>;

const CPU: ComputeEngine = {
  name: 'tensorflow',
  available: true,
  version: '2.21.0',
  device: 'CPU',
  why: 'In use. No GPU found by the driver.',
  installed: { variant: 'cpu', bytes: 1.21 * GIB, isWhole: true },
};
const WASM: ComputeEngine = {
  name: 'wasm',
  available: true,
  version: '4.22.0',
  device: 'CPU, 1 thread',
  why: 'Always there; slower than TensorFlow.',
  installed: null,
};
const ABSENT: ComputeEngine = { ...CPU, available: false, version: '', device: '', why: 'not installed yet', installed: null };
const DAMAGED: ComputeEngine = {
  ...CPU,
  available: false,
  why: 'a file of it is missing or cut; a repair installs it anew',
  installed: { variant: 'cpu', bytes: 0.7 * GIB, isWhole: false },
};
export class ScriptedCompute {
  #native = CPU;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #cancel: () => void = () => {};
  readonly #tell: (progress: ProgressEvent) => void;

  constructor(tell: (progress: ProgressEvent) => void) {
    this.#tell = tell;
  }

  /** Told with `app:describe`. */
  get about(): Pick<AppDescription, 'engines' | 'installableEngines' | 'installing'> {
    return { engines: [this.#native, WASM], installableEngines: this.#native.installed ? ['gpu'] : ['cpu', 'gpu'], installing: null };
  }

  /** A file of the installed engine is lost. */
  damage(): void {
    this.#native = DAMAGED;
  }

  readonly handlers = {
    'engine:install': () => this.#install({ version: '2.21.0', isNew: true, withoutKernels: null }),
    'engine:cancelInstall': async () => {
      clearTimeout(this.#timer);
      this.#cancel();
    },
    'engine:repair': async () => this.#install({ version: '2.21.0', isNew: this.#native === DAMAGED, withoutKernels: null }),
    'engine:remove': async () => {
      const { bytes = 0 } = this.#native.installed ?? {};
      this.#native = ABSENT;
      return { bytes };
    },
    'engine:selfTest': async ({ backend }): Promise<SelfTest> => {
      const shape = { imageSize: 32, patchSize: 8, embedDim: 192, depth: 2, batchSize: 8 };
      if (backend === 'tensorflow') return { backend: { name: backend, version: '2.21.0', device: 'CPU' }, stepMs: 9.42, steps: 30, shape };
      throw new PreloraError('engine-unavailable', `engine.backend ${backend}: this processor has no WebAssembly SIMD`, 'engine.backend');
    },
  } satisfies Pick<Handlers, Extract<keyof Handlers, `engine:${string}`>>;

  #install(outcome: InstallOutcome): Promise<InstallOutcome> {
    return new Promise((resolve, reject) => {
      let fraction = 0;
      const step = (): void => {
        fraction += 0.1;
        const message = `downloading, ${Math.round(fraction * 590)} of 590 MiB`;
        this.#tell({ task: 'engine:install', message, fraction: Math.min(1, fraction) });
        if (fraction < 1) this.#timer = setTimeout(step, 300);
        else {
          this.#native = CPU;
          resolve(outcome);
        }
      };
      this.#cancel = () =>
        reject(
          new PreloraError('interrupted', 'The installation was cancelled; what was fetched is kept and the next try goes on from there.'),
        );
      step();
    });
  }
}
