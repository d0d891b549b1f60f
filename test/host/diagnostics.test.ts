/** Reports of faults: what they hold, and what they must not tell. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { strFromU8, unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../main/cli/prelora.ts';
import { collectDiagnostics } from '../../main/host/diagnostics/diagnostics.ts';
import { logFile, openHostLog, readLogTail } from '../../main/host/diagnostics/hostLog.ts';
import { createMask } from '../../main/host/diagnostics/masking.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/checkpoint-v1', import.meta.url));
const mask = () =>
  createMask({
    home: '/home/anna',
    userName: 'anna',
    hostName: 'lab-pc-7',
    folders: [{ folder: '/opt/prelora', word: '<program>' }],
  });

describe('a masked text', () => {
  it('tells neither home, user, machine nor where files lie', () => {
    const { text } = mask();
    expect(text('Anna on lab-pc-7: /home/anna/faces/eve.png and "/mnt/clinic x" failed')).toBe(
      '<user> on <host>: <path 1.png> and "<path 2> x" failed',
    );
    expect(text('D:\\patients\\a.jpg, \\\\nas\\share\\b.png')).toBe('<path 3.jpg>, <path 4.png>');
    expect(text('banana, lab-pc-70')).toBe('banana, lab-pc-70');
  });

  it('gives equal paths equal numbers', () => {
    const { text } = mask();
    expect(text('/mnt/a.png /mnt/b.png /mnt/a.png')).toBe('<path 1.png> <path 2.png> <path 1.png>');
  });

  it('keeps what says nothing about anybody: units, the system’s paths, places in our own code', () => {
    const { text } = mask();
    const plain = '1,240 img/s, 413 ms/step, and/or, https://arxiv.org/abs/2509.21619, /usr/lib/libc.so';
    expect(text(plain)).toBe(plain);
    expect(text('at step (file:///opt/prelora/dist/main/train/loop.js:10:5)')).toBe('at step (<program>/dist/main/train/loop.js:10:5)');
  });

  it('takes a JSON string that is a path as a whole, and leaves out what people wrote', () => {
    const masked = mask().value({
      data: { source: '/mnt/my own photos/cats' },
      detail: { text: 'call Eve', kept: 3, backend: { name: 'wasm' } },
      tags: ['a', 'b'],
      classNames: ['Eve', 'Bob'],
      note: '',
    });
    expect(masked).toEqual({
      data: { source: '<path 1>' },
      detail: { text: '<8 characters>', kept: 3, backend: { name: 'wasm' } },
      tags: '<2 entries>',
      classNames: '<2 entries>',
      note: '',
    });
  });
});

describe('a report of a fault', () => {
  function damagedRun(): { dataRoot: string; runDir: string } {
    const dataRoot = temporaryFolder();
    const runDir = path.join(dataRoot, 'runs', 'secret-project');
    mkdirSync(path.dirname(runDir), { recursive: true });
    cpSync(FIXTURE, runDir, { recursive: true });
    const config = JSON.parse(readFileSync(path.join(runDir, 'config.json'), 'utf8'));
    writeFileSync(
      path.join(runDir, 'config.json'),
      JSON.stringify({ ...config, name: 'secret-project', data: { ...config.data, source: '/mnt/secret photos' } }),
    );
    writeFileSync(path.join(runDir, 'status.json'), '{ torn');
    writeFileSync(path.join(runDir, 'metrics.jsonl'), '{"step":1,"loss":2.3}\n{"step":2,"los');
    return { dataRoot, runDir };
  }

  it('holds program, machine, engines, log, and the run’s config and journal; no images and no weights', async () => {
    const { dataRoot, runDir } = damagedRun();
    openHostLog(dataRoot, () => {})('replay: Error: boom at /mnt/secret/x.ts');
    const files = await collectDiagnostics({ dataRoot, runDir, host: 'browser' });
    expect(files.map(({ name }) => name).sort()).toEqual([
      'about.json',
      'log.txt',
      'run/config.json',
      'run/events.jsonl',
      'run/files.txt',
      'run/metrics.jsonl',
      'run/status.json',
    ]);
    const text = (name: string): string => files.find((file) => file.name === name)?.text ?? '';
    expect(JSON.parse(text('about.json'))).toMatchObject({ program: { host: 'browser' }, disk: { dataRoot: '<data>' } });
    expect(text('log.txt')).toMatch(/Z replay: Error: boom at <path \d+\.ts>/);
    expect(JSON.parse(text('run/config.json'))).toMatchObject({ name: '<name>', data: { source: expect.stringMatching(/^<path \d+>$/) } });
    expect(text('run/files.txt')).toContain('checkpoints/step-7/model.safetensors');
    expect(files.map((file) => file.text).join('\n')).not.toContain('secret');
  });

  it('is a zip of the texts that --print shows', async () => {
    const { runDir } = damagedRun();
    const out = path.join(temporaryFolder(), 'report.zip');
    const said = { stdout: '', stderr: '' };
    const io = {
      stdout: { write: (text: string) => (said.stdout += text) },
      stderr: { write: (text: string) => (said.stderr += text) },
      signal: new AbortController().signal,
    };
    expect(await runCommand(['diagnose', runDir, '--out', out, '--json'], io)).toBe(0);
    expect(JSON.parse(said.stdout)).toMatchObject({ file: out });
    const unpacked = Object.entries(unzipSync(readFileSync(out))).map(([name, bytes]) => [name, strFromU8(bytes)]);
    said.stdout = '';
    expect(await runCommand(['diagnose', runDir, '--print'], io)).toBe(0);
    for (const [name, text] of unpacked) if (name !== 'about.json') expect(said.stdout).toContain(`==> ${name} <==\n${text}\n`);
    expect(unpacked.map(([name]) => name)).toContain('run/config.json');
  });

  it('refuses a run that is not there, and a place that cannot be written', async () => {
    const io = { stdout: { write() {} }, stderr: { write() {} }, signal: new AbortController().signal };
    expect(await runCommand(['diagnose', '/nowhere'], io)).toBe(2);
    expect(await runCommand(['diagnose', '--out', '/nowhere/x.zip'], io)).toBe(5);
  });
});

describe('the log', () => {
  it('keeps the newest lines over two files, and never more', () => {
    const dataRoot = temporaryFolder();
    const log = openHostLog(dataRoot, () => {});
    const line = 'x'.repeat(2000);
    for (let i = 0; i < 1200; i++) log(`${i} ${line}`);
    expect(existsSync(`${logFile(dataRoot)}.1`)).toBe(true);
    expect(readFileSync(logFile(dataRoot)).length).toBeLessThan(1.1e6);
    const tail = readLogTail(dataRoot, 600).trim().split('\n');
    expect(tail.map((entry) => Number(entry.split(' ')[1]))).toEqual(Array.from({ length: 600 }, (_, i) => 600 + i));
  });

  it('is silent about a disk that takes nothing', () => {
    const file = path.join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const echoed: string[] = [];
    openHostLog(file, (message) => echoed.push(message))('hello');
    expect(echoed).toEqual(['hello']);
  });
});
