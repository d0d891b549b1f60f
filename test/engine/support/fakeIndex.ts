/** A package index on 127.0.0.1 with one wheel of about a megabyte that a recipe for this machine wants: small, local, and as slow as asked. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostPlatform } from '../../../main/engine/installed.ts';
import type { EngineSources, Wheel } from '../../../main/engine/sources.ts';
import { makeZip } from './makeZip.ts';

export const WHEEL_FILE = 'tiny_engine-1.0-py3-none-any.whl';
export const LIBRARY = randomBytes(1_000_000);

const wheelBytes = makeZip({
  'engine/libtensorflow_cc.so.2': LIBRARY,
  'engine/include/c_api.h': Buffer.from('int answer(void);\n'),
  'engine/unneeded.py': Buffer.from('pass\n'),
  '../outside.so': Buffer.from('never'),
});

export interface FakeIndex {
  sources: EngineSources;
  wheel: Wheel;
  wheelBytes: Buffer;
  /** `Range` header of each request for the wheel, in order; null where there was none. */
  ranges: (string | null)[];
  close(): Promise<void>;
}

export interface FakeIndexOptions {
  /** Milliseconds between pieces of 64 KiB. */
  delayMs?: number;
  /** Ends the connection after this many bytes of each answer. */
  cutAfter?: number;
  ignoreRange?: boolean;
  html?: boolean;
}

export async function startFakeIndex(options: FakeIndexOptions = {}): Promise<FakeIndex> {
  const ranges: (string | null)[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/simple/tiny-engine/') sendPage(response, options);
    else if (request.url === `/files/${WHEEL_FILE}`) void sendWheel(request, response, options, ranges);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const wheel: Wheel = {
    project: 'tiny-engine',
    version: '1.0',
    file: WHEEL_FILE,
    bytes: wheelBytes.length,
    sha256: createHash('sha256').update(wheelBytes).digest('hex'),
    members: [
      { from: 'engine/include/', to: 'deps/include/' },
      { from: 'engine/', to: 'deps/lib/' },
      { from: '../', to: 'deps/lib/../' },
    ],
  };
  return {
    sources: sourcesWith(wheel, `http://127.0.0.1:${port}/simple/`),
    wheel,
    wheelBytes,
    ranges,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export function sourcesWith(wheel: Wheel, index: string): EngineSources {
  const recipe = { variant: 'cpu' as const, version: '1.0', platform: hostPlatform, wheels: [wheel], diskBytes: 1e6 };
  return { index, wheels: [{ ...recipe, links: { 'libtensorflow.so': 'libtensorflow_cc.so.2' } }], archives: [] };
}

function sendPage(response: ServerResponse, { html = false }: FakeIndexOptions): void {
  const url = `../../files/${WHEEL_FILE}`;
  response.writeHead(200, { 'content-type': html ? 'text/html' : 'application/vnd.pypi.simple.v1+json' });
  response.end(html ? `<a href="${url}#sha256=0">wheel</a>` : JSON.stringify({ files: [{ filename: WHEEL_FILE, url }] }));
}

async function sendWheel(
  request: IncomingMessage,
  response: ServerResponse,
  options: FakeIndexOptions,
  ranges: (string | null)[],
): Promise<void> {
  ranges.push(request.headers.range ?? null);
  const start = options.ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': wheelBytes.length - start });
  const end = Math.min(wheelBytes.length, start + (options.cutAfter ?? wheelBytes.length));
  for (let at = start; at < end && !response.destroyed; at += 65536) {
    response.write(wheelBytes.subarray(at, Math.min(end, at + 65536)));
    if (options.delayMs) await sleep(options.delayMs);
  }
  if (end === wheelBytes.length) response.end();
  // A moment later, so that what was written arrives.
  else setTimeout(() => response.destroy(), 50);
}
