/** Figures of the GPU in a run's files: only where one computes (F37). The GPU is a script that prints what NVIDIA's does. */
import { expect, it } from 'vitest';
import { readRecords, readStatus } from '../../main/store/runFolder.ts';
import type { TrainingRun } from '../../main/train/loop.ts';
import { fakeNvidiaSmi } from '../support/fakeNvidiaSmi.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { contentOf, trainTiny } from './tinyTraining.ts';

const MIB = 2 ** 20;

function onGpu({ options }: TrainingRun): void {
  options.backend.device = 'GPU NVIDIA GeForce RTX 4070';
}

it('a run on a GPU records its use and memory, the status has the newest, each phase its own peak', async () => {
  fakeNvidiaSmi('while :; do echo "87, 5437, 8192"; sleep 0.01; done');
  const { dir, run } = await trainTiny(`${temporaryFolder()}/run`, {}, { prepare: onGpu });
  const metrics = await readRecords(dir, 'metrics');
  expect(metrics.at(-1)).toMatchObject({ gpuUse: 0.87, gpuMemoryBytes: 5437 * MIB });
  expect((await readStatus(dir))?.gpu).toEqual({ use: 0.87, usedBytes: 5437 * MIB, totalBytes: 8192 * MIB });
  expect(run.state.phases.at(-1)).toMatchObject({ phase: 'lora', peakGpuMemoryBytes: 5437 * MIB });
});

it('one whose driver tells nothing has no figures and trains the same', async () => {
  fakeNvidiaSmi('echo "No devices were found"; exit 6');
  const root = temporaryFolder();
  const silent = await trainTiny(`${root}/gpu`, {}, { prepare: onGpu });
  expect((await readRecords(silent.dir, 'metrics')).at(-1)).toMatchObject({ gpuUse: null, gpuMemoryBytes: null });
  const onCpu = await trainTiny(`${root}/cpu`);
  expect((await contentOf(silent)).tensors).toEqual((await contentOf(onCpu)).tensors);
});

it('one on a CPU asks nobody and says nothing of a GPU', async () => {
  fakeNvidiaSmi('echo "87, 5437, 8192"; sleep 60');
  const { dir, run } = await trainTiny(`${temporaryFolder()}/run`);
  const text = JSON.stringify([await readRecords(dir, 'metrics'), await readStatus(dir), run.state.phases]);
  expect(text).not.toMatch(/gpu/i);
});
