/** `prelora serve` as a user starts it: the smoke preset on wasm over a WebSocket, from the first frame to a resume after SIGKILL. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { serveCommand } from '../../main/cli/serve.ts';
import { portOver } from '../../main/host/port.ts';
import { createClient } from '../../main/host/rpc.ts';
import { lockHolder } from '../../main/store/lock.ts';
import { type PageClient, watchRun } from '../support/engineHost.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** Serves into a fresh data root; gives back the address and what was written to the terminal. */
async function serve(): Promise<{ address: URL; written: string[]; stop: () => Promise<number> }> {
  const folder = temporaryFolder();
  vi.stubEnv('PRELORA_DATA_DIR', path.join(folder, 'data'));
  mkdirSync(path.join(folder, 'page'));
  writeFileSync(path.join(folder, 'page', 'index.html'), '<!doctype html><title>page</title>');
  const abort = new AbortController();
  const stdout: string[] = [];
  const written: string[] = [];
  const ended = serveCommand(['--port', '0', '--page', path.join(folder, 'page')], {
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => written.push(text) },
    signal: abort.signal,
  });
  const stop = (): Promise<number> => {
    abort.abort();
    return ended;
  };
  onTestFinished(async () => {
    await stop();
    vi.unstubAllEnvs();
  });
  const address = await Promise.race([vi.waitUntil(() => stdout[0], { timeout: 20_000 }), ended.then(() => '')]);
  return { address: new URL(address), written, stop };
}

async function openPage(address: URL): Promise<PageClient> {
  const token = new URLSearchParams(address.hash.slice(1)).get('token') ?? '';
  const socket = new WebSocket(`ws://${address.host}/socket?token=${token}`);
  const { port, deliver, closed } = portOver({ send: (message) => socket.send(JSON.stringify(message)), shut: () => socket.close() });
  socket.on('message', (data) => deliver(JSON.parse(String(data))));
  socket.on('close', () => closed('closed'));
  await new Promise((resolve) => socket.once('open', resolve));
  return createClient(port);
}

describe('browser mode', () => {
  it('trains the smoke preset on wasm in sight of the page, survives the death of its trainer, and resumes', {
    timeout: 120_000,
  }, async () => {
    const { address, written, stop } = await serve();
    expect(await (await fetch(new URL('/', address))).text()).toContain('page');
    const page = await openPage(address);
    const { presets } = await page.request('app:describe', {});
    const smoke = presets.find(({ name }) => name === 'smoke')?.config as Record<string, unknown>;
    const config = { ...smoke, engine: { backend: 'wasm' }, train: { ...(smoke.train as object), epochs: 50 } };
    expect(await page.request('config:check', { config })).toEqual([]);
    const { runId } = await page.request('run:start', { config });
    const { until } = await watchRun(page, runId);
    await until(({ metrics }) => metrics.some(({ loss }) => loss !== null && loss > 0));
    await page.request('run:pause', { runId });
    const paused = (await until(({ status }) => status.status === 'paused')).status.step;
    expect((await page.request('run:state', { runId })).summary.status.step).toBe(paused);
    await page.request('run:resume', { runId });
    await until(({ status }) => status.step > paused + 2);

    const { summary } = await page.request('run:state', { runId });
    const exited = new Promise((resolve) => void page.on('trainer:exited', resolve));
    process.kill(lockHolder(summary.dir)?.pid as number, 'SIGKILL');
    expect(await exited).toMatchObject({ runId, reason: expect.stringContaining('SIGKILL') });

    const second = await openPage(address);
    await second.request('run:resume', { runId });
    const { until: again } = await watchRun(second, runId);
    await again(({ status }) => status.status === 'running' && status.step > paused);
    expect(await stop()).toBe(130);
    expect(lockHolder(summary.dir)).toBeNull();
    expect(written.join('')).not.toContain(address.hash.slice('#token='.length));
  });
});
