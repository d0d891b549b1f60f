/**
 * Use and memory of the GPU, as NVIDIA's driver tells: one `nvidia-smi` that prints a line a second, read between steps. Where the program is
 * missing, fails, or stops printing, there are no figures and nothing else happens; training never waits for it.
 * Options and fields: `nvidia-smi --help-query-gpu`. Memory is the device's, of all programs that use it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { GpuReading } from '../protocol/run.ts';

const PROGRAM = 'nvidia-smi';
const EVERY_MS = 1000;
/** A driver that hangs keeps its last line for ever. */
const STALE_MS = 10_000;
const MIB = 2 ** 20;

/** Does the backend compute on a GPU? */
export function isOnGpu({ device }: { device: string }): boolean {
  return /gpu|cuda/i.test(device);
}

export class GpuMeter {
  #reading: GpuReading | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  #peakBytes: number | null = null;
  #rest = '';
  readonly #child: ChildProcess | null;
  readonly #now: () => number;

  constructor({ everyMs = EVERY_MS, now = () => performance.now() } = {}) {
    this.#now = now;
    const fields = '--query-gpu=utilization.gpu,memory.used,memory.total';
    const args = [`--id=${computingGpu()}`, fields, '--format=csv,noheader,nounits', `--loop-ms=${everyMs}`];
    this.#child = startProgram(args);
    const output = this.#child?.stdout as Socket | null | undefined;
    output?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    // Nothing waits for it: neither the end of a run nor that of this process. What it prints is read while something else keeps us.
    this.#child?.unref();
    output?.unref();
  }

  /** The newest figures; null when there are none, or none any more. */
  get reading(): GpuReading | null {
    return this.#now() - this.#readAt < STALE_MS ? this.#reading : null;
  }

  /** Largest memory in use since the last reset, in bytes, of what was printed once a second. */
  get peakBytes(): number | null {
    return this.#peakBytes;
  }

  resetPeak(): void {
    this.#peakBytes = null;
  }

  /** It has nothing to finish. */
  close(): void {
    this.#child?.kill('SIGKILL');
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const reading = parseReading(line);
      if (!reading) continue;
      this.#reading = reading;
      this.#readAt = this.#now();
      if (reading.usedBytes !== null) this.#peakBytes = Math.max(this.#peakBytes ?? 0, reading.usedBytes);
    }
  }
}

function startProgram(args: readonly string[]): ChildProcess | null {
  try {
    // `error`: it is not there, or may not be started.
    return spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true }).on('error', () => {});
  } catch {
    return null;
  }
}

/** "87, 5437, 8192" in percent and MiB. What the driver does not tell ("[N/A]", "[Not Supported]") is null; a line of other words is none. */
export function parseReading(line: string): GpuReading | null {
  const fields = line.split(',').map((field) => field.trim());
  if (fields.length !== 3) return null;
  const [use, used, total] = fields.map((field) => (/^\d+(\.\d+)?$/.test(field) ? Number(field) : null)) as [
    number | null,
    number | null,
    number | null,
  ];
  if (use === null && used === null) return null;
  return {
    use: use === null ? null : use / 100,
    usedBytes: used === null ? null : used * MIB,
    totalBytes: total === null ? null : total * MIB,
  };
}

/** The first that CUDA shows to TensorFlow, as nvidia-smi calls it: both count by the bus (CUDA_DEVICE_ORDER, environment.ts). */
function computingGpu(): string {
  return process.env.CUDA_VISIBLE_DEVICES?.split(',')[0]?.trim() || '0';
}
