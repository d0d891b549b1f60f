import { expect, test } from 'vitest';
import { describeResult } from '../../main/cli/bench.ts';
import { runCommand } from '../../main/cli/prelora.ts';
import { CASES } from '../../main/host/bench/cases.ts';
import { figuresOfCase } from '../../main/host/bench/goals.ts';
import type { BenchResult } from '../../main/host/bench/runBench.ts';
import type { Measured } from '../../main/host/bench/turns.ts';

async function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const out = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (out[stream] += text) });
  const signal = new AbortController().signal;
  const status = await runCommand(args, { stdout: into('stdout'), stderr: into('stderr'), signal });
  return { status, ...out };
}

test.each([
  [['--cases', 'ti66'], 'ti65, s65, ti197, b197, l197'],
  [['--parts', 'all'], 'cases, monitoring, eager, wasm, scaling'],
  [['--samples', '1.5'], 'whole number'],
  [['extra'], 'unexpected argument extra'],
])('bench %j is refused before anything is measured', async (args, words) => {
  const { status, stderr, stdout } = await run('bench', ...args);
  expect(status).toBe(2);
  expect(stderr).toContain(words);
  expect(stdout).toBe('');
});

function measured(ms: number, megabytes: number): Measured {
  const opened = { library: '', compiled: true, trainable: 1, baseBytes: 1e8, traceMs: 400, loadMs: 600 };
  return { opened, ms: Array.from({ length: 7 }, () => ms), peakBytes: megabytes * 2 ** 20 };
}

test('the table shows speed, peak memory and every goal with its distance', () => {
  const [tiny] = CASES;
  if (!tiny) throw new Error('no cases');
  const sides = {
    'own/full': measured(500, 1000),
    'own/lora': measured(400, 700),
    'peer/full': measured(600, 800),
    'peer/lora': measured(700, 1000),
  };
  const result: BenchResult = {
    version: 1,
    date: '2026-01-01T00:00:00Z',
    machine: { cpu: 'CPU', cores: 2, memoryBytes: 1, platform: 'linux', load: 0, versions: { node: '24' } },
    settings: { threads: 2, samples: 7, warmUps: 2, peer: 'python' },
    cases: [{ ...tiny, sides, failed: {}, predictedBytes: { full: 950 * 2 ** 20 }, productSeconds: { full: 0.35 } }],
    monitoring: null,
    eager: null,
    wasm: null,
    scaling: null,
    figures: figuresOfCase({ ...tiny, sides, failed: {}, predictedBytes: { full: 950 * 2 ** 20 }, productSeconds: { full: 0.35 } }),
  };
  const lines = describeResult(result)
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' '));
  expect(lines).toContain('ti65 own/full 64.0 500 ms 1000 MiB 950 MiB');
  expect(lines.find((line) => line.startsWith('P1 '))).toMatch(/ti65 1\.20 1\.20–1\.20 1\.15 1\.50 must$/);
  expect(lines.find((line) => line.startsWith('P2 '))).toMatch(/1\.75 .* must$/);
  expect(lines.find((line) => line.startsWith('P6 '))).toMatch(/0\.700 0\.700 0\.880 must$/);
});

test('estimate gives one JSON object whose figures say that they are predicted', async () => {
  const { status, stdout } = await run(
    'estimate',
    '--json',
    '--set',
    'engine.backend=cpu',
    '--set',
    'data.source=/nonexistent',
    '--set',
    'model.size=large',
  );
  expect(status).toBe(0);
  const estimate = JSON.parse(stdout);
  expect(estimate).toMatchObject({ isEstimate: true, parameters: 303_311_882, full: { measured: false }, totalSteps: null });
  expect(estimate.lora.totalBytes).toBeLessThan(estimate.full.totalBytes);
});
