/**
 * Entry of our side of the benchmark: a process that holds one phase of one model and answers requests line by line (protocol.ts). It does
 * nothing between them, so that whoever takes the other turns has the cores to itself.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { countInPhase } from '../../core/trainableSet.ts';
import { type ChosenBackend, chooseBackend } from '../../engine/choose.ts';
import { PreloraError } from '../../protocol/reply.ts';
import { type MeasuredSetup, PhaseOnNoise } from '../phaseOnNoise.ts';
import { timeProducts, timeUpdate } from './machineRates.ts';
import { MonitoredStep } from './monitoredStep.ts';
import type { Answer, BenchRequests, RequestName } from './protocol.ts';

type Handlers = { [K in RequestName]: (ask: BenchRequests[K]['ask']) => Promise<Answer<K>> };

class BenchWorker implements Handlers {
  #phase: PhaseOnNoise | null = null;
  #monitor: MonitoredStep | null = null;
  #setup: MeasuredSetup | null = null;

  async versions(): Promise<Answer<'versions'>> {
    return { versions: { node: process.versions.node } };
  }

  async open(setup: MeasuredSetup): Promise<Answer<'open'>> {
    const backend = await chooseBackend(setup.config.engine);
    const baseBytes = process.memoryUsage.rss();
    this.#setup = setup;
    this.#phase = new PhaseOnNoise(setup, backend);
    const { trainer, stats } = this.#phase;
    const { traceMs, loadMs } = stats;
    const { trainable } = countInPhase(setup.config, setup.phase, setup.ranks);
    return { library: `${backend.name} ${backend.version}`, compiled: trainer.isCompiled, trainable, baseBytes, traceMs, loadMs };
  }

  async step({ monitored }: BenchRequests['step']['ask']): Promise<Answer<'step'>> {
    const phase = this.#opened();
    if (monitored) this.#monitor ??= await MonitoredStep.open(this.#setup as MeasuredSetup);
    const update = phase.update();
    const recordMs = monitored && this.#monitor ? this.#monitor.record(monitored, phase.trainer, update) : 0;
    return { ms: update.ms + recordMs, loss: update.result.loss };
  }

  async memory(): Promise<Answer<'memory'>> {
    return { peakBytes: peakOfProcess(), residentBytes: process.memoryUsage.rss() };
  }

  async products({ products }: BenchRequests['products']['ask']): Promise<Answer<'products'>> {
    return { seconds: timeProducts(products, await nativeBinding()) };
  }

  async update(): Promise<Answer<'update'>> {
    return { secondsPerParameter: timeUpdate(await nativeBinding()) };
  }

  close(): void {
    this.#monitor?.close();
    this.#phase?.dispose();
  }

  #opened(): PhaseOnNoise {
    if (!this.#phase) throw new PreloraError('internal', 'step: nothing is open; ask for open first');
    return this.#phase;
  }
}

async function nativeBinding(): Promise<NonNullable<ChosenBackend['binding']>> {
  const { binding } = await chooseBackend({ backend: 'tensorflow' });
  if (!binding) throw new PreloraError('engine-unavailable', 'the native engine has no binding; run `prelora engine install`');
  return binding;
}

/** Largest resident size since the process began, in bytes. */
function peakOfProcess(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  // Not getrusage's: that one may begin at the size of the process that started us.
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match ? Number(match[1]) * 1024 : process.resourceUsage().maxRSS * 1024;
}

async function serve(): Promise<void> {
  const worker = new BenchWorker();
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      process.stdout.write(`${JSON.stringify(await answer(worker, line))}\n`);
    }
  } finally {
    worker.close();
  }
}

async function answer(worker: Handlers, line: string): Promise<object> {
  try {
    const { do: name, ...ask } = JSON.parse(line) as { do: RequestName };
    return await (worker[name] as (ask: object) => Promise<object>).call(worker, ask);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

// Ctrl+C reaches every process of the terminal; whoever asked closes our input.
process.on('SIGINT', () => {});
await serve();
