/** `prelora export`: what it writes and prints, its statuses, and one sentence for every wrong argument. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../main/cli/prelora.ts';
import { ExportReport } from '../../main/protocol/exports.ts';
import { isBundle } from '../../main/store/bundleReading.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { trainTiny } from '../train/tinyTraining.ts';

async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const [out, err]: string[][] = [[], []];
  const io = { stdout: { write: (text: string) => out!.push(text) }, stderr: { write: (text: string) => err!.push(text) } };
  const status = await runCommand(['export', ...args], { ...io, signal: new AbortController().signal });
  return { status, out: out!.join(''), err: err!.join('') };
}

describe('prelora export', { timeout: 60_000 }, () => {
  it('writes a folder and prints one line per check, or one JSON object; without --verify nothing is computed', async () => {
    const folder = temporaryFolder();
    const dir = path.join(folder, 'run');
    await trainTiny(dir, { train: { keepCheckpoints: 20 } });
    const verified = await run(dir, '--to', 'peft', '--out', path.join(folder, 'peft'), '--checkpoint', 'last', '--verify');
    expect(verified.status).toBe(0);
    expect(verified.out.split('\n').map((line) => line.slice(0, 4))).toEqual(['✓ V1', '✓ V2', '✓ V3', '✓ V4', '✓ V5', 'step', '']);
    expect(readdirSync(path.join(folder, 'peft')).sort()).toEqual(['adapter', 'base', 'prelora.json']);
    const variants = ['--base-weights', 'freeze', '--peft-base', 'hf'];
    const frozen = await run(dir, '--to', 'peft', '--out', path.join(folder, 'freeze'), '--checkpoint', 'last', ...variants);
    expect([frozen.status, frozen.out]).toEqual([0, expect.stringMatching(/✓ V3 [^\n]*\nstep 30 \(lora\)/)]);
    const told = await run(dir, '--to', 'timm', '--out', path.join(folder, 'timm'), '--checkpoint', '6', '--json');
    const report = ExportReport.parse(JSON.parse(told.out));
    expect([told.status, report.status, report.step, report.checks.length]).toEqual([0, 'partial', 6, 3]);
    expect(report.snippet).toContain(`local-dir:${path.join(folder, 'timm')}`);
  });

  it('writes the records for TensorBoard, with the table of the layers', async () => {
    const folder = temporaryFolder();
    const dir = path.join(folder, 'run');
    await trainTiny(dir);
    const told = await run(dir, '--to', 'tensorboard', '--out', path.join(folder, 'tb'), '--json');
    const { files, rows } = JSON.parse(told.out) as { files: string[]; rows: number };
    expect(files.map((file) => path.basename(file))).toEqual([
      expect.stringMatching(/^events\.out\.tfevents\.\d{10}\.prelora\./),
      'layers.csv',
    ]);
    expect(rows).toBeGreaterThan(12);
  });

  it('writes the run as one file, which `prelora import` takes', async () => {
    const folder = temporaryFolder();
    const dir = path.join(folder, 'run');
    await trainTiny(dir);
    const told = await run(dir, '--to', 'bundle', '--out', path.join(folder, 'run.prelora.zip'), '--weights', 'none');
    expect([told.status, told.out]).toEqual([0, expect.stringMatching(/run\.prelora\.zip: \d+\.\d MiB, no checkpoint/)]);
    expect(await isBundle(path.join(folder, 'run.prelora.zip'))).toBe(true);
  });

  it.each<[string[], string]>([
    [['--out', 'x'], '--to is missing: only hf, peft, timm, onnx (fp32)'],
    [
      ['--to', 'coreml', '--out', 'x'],
      '--to coreml: only hf, peft, timm, onnx (fp32), tensorboard for the records, and bundle for the run',
    ],
    [['--to', 'hf'], '--out: must be given'],
    [['--to', 'bundle', '--out', 'x', '--weights', 'average'], '--weights average: of a bundle none, best, all'],
    [['--to', 'peft', '--out', 'x', '--names', 'old'], '--names'],
    [['--to', 'hf', '--out', 'x', '--weights', 'ema'], '--weights'],
    [['--to', 'peft', '--out', 'x', '--base-weights', 'best'], '--base-weights: '],
    [['--to', 'peft', '--out', 'x', '--peft-base', 'onnx'], '--peft-base: '],
    [['--to', 'hf', '--out', 'x', '--checkpoint', 'first'], '--checkpoint first: must be last, best or a step'],
  ])('%j is refused: %s', async (args, message) => {
    const { status, err } = await run('/nonexistent/run', ...args);
    expect(status).toBe(2);
    expect(err).toContain(message);
  });

  it('of what is no run says so', async () => {
    const { status, err } = await run('/nonexistent/run', '--to', 'hf', '--out', '/tmp/x');
    expect([status, err]).toEqual([2, expect.stringContaining('/nonexistent/run')]);
  });
});
