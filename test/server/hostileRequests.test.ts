/** Browser mode against those who should not get in: wrong token, wrong host, wrong origin, paths out of the page's folder, floods. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { pageFilePath } from '../../main/host/pageFiles.ts';
import { serveRequests } from '../../main/host/rpc.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { allowedHosts, createToken, isAllowedSource, isLoopback, isToken } from '../../main/server/accessRules.ts';
import { type RunningServer, startServer } from '../../main/server/server.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const TOKEN = 'a-token-of-the-user-0123456789';
const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function serve(options: Partial<Parameters<typeof startServer>[0]> = {}): Promise<{ server: RunningServer; page: string }> {
  const folder = temporaryFolder();
  const page = path.join(folder, 'page');
  mkdirSync(path.join(page, 'assets'), { recursive: true });
  writeFileSync(path.join(page, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(path.join(page, 'assets', 'main.js'), '1;');
  writeFileSync(path.join(page, '.env.js'), 'hidden');
  writeFileSync(path.join(folder, 'secret.txt'), 'secret');
  symlinkSync(path.join(folder, 'secret.txt'), path.join(page, 'link.txt'));
  const onPage = (port: Parameters<typeof serveRequests>[0]): void => void serveRequests(port, {}, {}, () => {});
  const server = await startServer({ page, host: '127.0.0.1', port: 0, token: TOKEN, onPage, ...options });
  running.push(server);
  return { server, page };
}

/** A request as raw text, so that nothing tidies the path up on the way. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

const get = (port: number, target: string, headers = `Host: 127.0.0.1:${port}`): Promise<string> =>
  raw(port, `GET ${target} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);

interface SocketTry {
  token?: string | null;
  origin?: string;
  host?: string;
  target?: string;
}

/** The HTTP status that a WebSocket is answered with; 101 when it gets in. */
function trySocket(port: number, { token = TOKEN, origin, host, target = '/socket' }: SocketTry): Promise<number> {
  const query = token === null ? '' : `?token=${encodeURIComponent(token)}`;
  const headers = { ...(host ? { host } : {}), ...(origin ? { origin } : {}) };
  const socket = new WebSocket(`ws://127.0.0.1:${port}${target}${query}`, { headers });
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode ?? 0));
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
  });
}

describe('a file of the page', () => {
  it('is given with headers that forbid inline code, frames and sniffing', async () => {
    const { server } = await serve();
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    expect(await response.text()).toContain('<title>page</title>');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('is all there is: no listing, nothing above, hidden, linked or unknown', async () => {
    const { server } = await serve();
    const targets = [
      '/assets',
      '/assets/',
      '/../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/assets/..%2f..%2fsecret.txt',
      '/..%5csecret.txt',
      '/%00',
      '/%E0%A4%A',
      '//etc/passwd',
      '/link.txt',
      '/.env.js',
      '/C:/secret.txt',
      '/index.html/',
    ];
    for (const target of targets) {
      const answer = await get(server.port, target);
      expect(answer, target).toMatch(/^HTTP\/1\.1 (404|400)/);
      expect(answer, target).not.toContain('secret\n');
    }
  });

  it('is not to be had by other methods', async () => {
    const { server } = await serve();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await fetch(`http://127.0.0.1:${server.port}/`, { method })).status).toBe(405);
    }
  });

  it('is not given to a name this machine does not have (DNS rebinding), or to another site', async () => {
    const { server } = await serve();
    expect(await get(server.port, '/', 'Host: evil.example')).toMatch(/^HTTP\/1\.1 403/);
    expect(await get(server.port, '/', 'X-No-Host: 1')).toMatch(/^HTTP\/1\.1 (400|403)/);
    expect(await get(server.port, '/', `Host: 127.0.0.1:${server.port}\r\nOrigin: http://evil.example`)).toMatch(/^HTTP\/1\.1 403/);
  });

  it('lies below the root for every path that is accepted', () => {
    expect(pageFilePath('/page', '/')).toBe('/page/index.html');
    expect(pageFilePath('/page', '/assets/main.js')).toBe('/page/assets/main.js');
    for (const bad of ['', 'x', '/..', '/a/../..', '/a\\b', '/.git/config', '/a:b', '/%'])
      expect(pageFilePath('/page', bad), bad).toBeNull();
  });
});

describe('a WebSocket', () => {
  it('gets in with the token from this host', async () => {
    const { server } = await serve();
    expect(await trySocket(server.port, {})).toBe(101);
    expect(await trySocket(server.port, { origin: `http://127.0.0.1:${server.port}` })).toBe(101);
  });

  it('is refused without the token, with a wrong one, and with half of it', async () => {
    const { server } = await serve();
    for (const token of [null, '', 'wrong', TOKEN.slice(0, -1), `${TOKEN}x`]) expect(await trySocket(server.port, { token })).toBe(401);
  });

  it('is refused from another site, another host name, another path', async () => {
    const { server } = await serve();
    expect(await trySocket(server.port, { origin: 'http://evil.example' })).toBe(403);
    expect(await trySocket(server.port, { origin: 'null' })).toBe(403);
    expect(await trySocket(server.port, { origin: `http://localhost:${server.port}` })).toBe(403);
    expect(await trySocket(server.port, { host: 'evil.example' })).toBe(403);
    expect(await trySocket(server.port, { target: '/elsewhere' })).toBe(404);
  });

  it('that floods or talks nonsense is closed, and others go on', async () => {
    const { server } = await serve();
    const address = `ws://127.0.0.1:${server.port}/socket?token=${TOKEN}`;
    const closeCode = (send: (socket: WebSocket) => void): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(address);
        socket.on('open', () => send(socket));
        socket.on('close', resolve);
        socket.on('error', () => {});
      });
    expect(await closeCode((socket) => socket.send('not json'))).toBe(1008);
    expect(await closeCode((socket) => socket.send('{"id":"x"}'))).toBe(1008);
    expect(await closeCode((socket) => socket.send(Buffer.from([1, 2, 3])))).toBe(1008);
    const flood = (socket: WebSocket): void => {
      for (let id = 0; id < 2000; id++) socket.send(JSON.stringify({ id, name: 'x', arg: {} }));
    };
    expect(await closeCode(flood)).toBe(1008);
    expect(await trySocket(server.port, {})).toBe(101);
  });
});

describe('the address', () => {
  it('carries the token in the fragment, which no server ever sees', async () => {
    const { server } = await serve({ token: null });
    const { hash, search } = new URL(server.address);
    expect(hash).toMatch(/^#token=[\w-]{43}$/);
    expect(search).toBe('');
  });

  it('of another machine needs a token of the user, a long one', async () => {
    await expect(serve({ host: '0.0.0.0', token: null })).rejects.toMatchObject({ code: 'bad-arguments', field: 'host' });
    await expect(serve({ token: 'short' })).rejects.toMatchObject({ code: 'bad-arguments', field: 'token' });
  });

  it('that is taken is told plainly', async () => {
    const { server } = await serve();
    await expect(serve({ port: server.port })).rejects.toThrow(PreloraError);
    await expect(serve({ port: server.port })).rejects.toThrow(/is taken/);
  });
});

describe('the rules', () => {
  it('know loopback from the rest of the world', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) expect(isLoopback(host)).toBe(true);
    for (const host of ['0.0.0.0', '::', '192.168.1.2', '127.0.0.1.evil.example', 'localhost.evil.example'])
      expect(isLoopback(host)).toBe(false);
  });

  it('make a new token at each start and take only the whole of it', () => {
    const token = createToken();
    expect(createToken()).not.toBe(token);
    expect(isToken(token, token)).toBe(true);
    expect(isToken(null, token)).toBe(false);
    expect(isToken(token.slice(1), token)).toBe(false);
  });

  it('on all addresses still want the origin to be the host that was asked', () => {
    const hosts = allowedHosts('0.0.0.0', 80);
    const anyHost = { anyHost: true };
    expect(isAllowedSource({ host: 'gpu-box:80', origin: 'http://gpu-box:80' }, hosts, anyHost)).toBe(true);
    expect(isAllowedSource({ host: 'gpu-box:80', origin: 'http://evil.example' }, hosts, anyHost)).toBe(false);
    expect(isAllowedSource({ host: 'gpu-box:80', origin: undefined }, hosts)).toBe(false);
  });
});
