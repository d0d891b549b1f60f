/**
 * Figures of the GPU against an nvidia-smi of our own, which prints what NVIDIA documents: no machine of ours has a GPU. Lines are those of
 * `--query-gpu=utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits`.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { GpuMeter, isOnGpu, parseReading } from '../../main/engine/gpuMeter.ts';
import { fakeNvidiaSmi } from '../support/fakeNvidiaSmi.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const MIB = 2 ** 20;

function meter(more: ConstructorParameters<typeof GpuMeter>[0] = {}): GpuMeter {
  const made = new GpuMeter({ everyMs: 20, ...more });
  onTestFinished(() => made.close());
  return made;
}
const read = (from: GpuMeter) => vi.waitUntil(() => from.reading, { timeout: 10_000, interval: 5 });

describe('a line of nvidia-smi', () => {
  it('is a fraction and bytes', () => {
    expect(parseReading('87, 5437, 8192')).toEqual({ use: 0.87, usedBytes: 5437 * MIB, totalBytes: 8192 * MIB });
  });

  it('has nothing where the driver tells nothing: a partitioned GPU its use, one with the memory of the machine its memory', () => {
    expect(parseReading('[N/A], 1024, 143771')).toEqual({ use: null, usedBytes: 1024 * MIB, totalBytes: 143_771 * MIB });
    expect(parseReading('12, [N/A], [N/A]')).toEqual({ use: 0.12, usedBytes: null, totalBytes: null });
    expect(parseReading('[Not Supported], 300, 2048')).toMatchObject({ use: null });
  });

  it('is none when it holds words', () => {
    const words = [
      '',
      '[N/A], [N/A], [N/A]',
      'No devices were found',
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
      'utilization.gpu [%], memory.used [MiB], memory.total [MiB]',
      '1, 2',
    ];
    expect(words.map(parseReading)).toEqual(words.map(() => null));
  });
});

describe('the meter', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('reads on while the program prints, and keeps the largest memory until it is reset', async () => {
    fakeNvidiaSmi('echo "10, 100, 8192"; echo "90, 700, 8192"; echo "50, 400, 8192"; sleep 60');
    const gpu = meter();
    await vi.waitUntil(() => gpu.reading?.use === 0.5);
    expect(gpu.peakBytes).toBe(700 * MIB);
    gpu.resetPeak();
    expect(gpu.peakBytes).toBeNull();
  });

  it('takes lines that come in pieces', async () => {
    fakeNvidiaSmi('printf "8"; sleep 0.05; printf "7, 54"; sleep 0.05; echo "37, 8192"; sleep 60');
    expect(await read(meter())).toMatchObject({ use: 0.87, usedBytes: 5437 * MIB });
  });

  it('asks for the GPU that CUDA shows first, one line a second, without head and units', async () => {
    vi.stubEnv('CUDA_VISIBLE_DEVICES', 'GPU-5c1a,1');
    const file = path.join(temporaryFolder(), 'arguments');
    fakeNvidiaSmi(`echo "$@" > "${file}"; echo "1, 1, 1"; sleep 60`);
    await read(new GpuMeter());
    expect(readFileSync(file, 'utf8').trim()).toBe(
      '--id=GPU-5c1a --query-gpu=utilization.gpu,memory.used,memory.total --format=csv,noheader,nounits --loop-ms=1000',
    );
  });

  it('tells nothing where the program is missing, may not be started, or fails', async () => {
    const folder = temporaryFolder();
    vi.stubEnv('PATH', folder);
    const missing = meter();
    writeFileSync(path.join(folder, 'nvidia-smi'), 'not a program');
    const forbidden = meter();
    chmodSync(path.join(folder, 'nvidia-smi'), 0o755);
    const broken = meter();
    fakeNvidiaSmi('echo "NVIDIA-SMI has failed"; exit 9');
    const failing = meter();
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const gpu of [missing, forbidden, broken, failing]) expect([gpu.reading, gpu.peakBytes]).toEqual([null, null]);
  });

  it('tells nothing any more once the program hangs or has died, whatever it said last', async () => {
    for (const end of ['sleep 60', 'exit 1']) {
      let now = 0;
      fakeNvidiaSmi(`echo "87, 5437, 8192"; ${end}`);
      const gpu = meter({ now: () => now });
      await read(gpu);
      now = 9000;
      expect(gpu.reading, end).not.toBeNull();
      now = 11_000;
      expect(gpu.reading, end).toBeNull();
    }
  });

  it('ends its program when it is closed, also one that heeds no signal', async () => {
    const file = path.join(temporaryFolder(), 'pid');
    fakeNvidiaSmi(`trap '' TERM INT HUP; echo $$ > "${file}"; while :; do echo "1, 1, 1"; sleep 0.02; done`);
    const gpu = meter();
    await read(gpu);
    const pid = Number(readFileSync(file, 'utf8'));
    gpu.close();
    await vi.waitUntil(() => !isThere(pid));
  });
});

it('a backend is on a GPU when its device says so', () => {
  expect(['GPU NVIDIA A100', 'GPU CUDA device', 'CPU', 'CPU, 1 thread'].map((device) => isOnGpu({ device }))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
