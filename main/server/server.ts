/**
 * Browser mode: the built page over HTTP and the protocol over one WebSocket per page, for this machine's browser or through an SSH tunnel.
 * Everything is refused that does not come with the token, from an expected host. The token is never logged.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { PAGE_HEADERS, readPageFile } from '../host/pageFiles.ts';
import type { Port } from '../host/port.ts';
import { PreloraError } from '../protocol/reply.ts';
import { allowedHosts, createToken, isAllowedSource, isLoopback, isToken } from './accessRules.ts';
import { webSocketPort } from './webSocketPort.ts';

export interface ServerOptions {
  /** Folder of the built page. */
  page: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** A random one for this start when it is null; needed for anything but loopback. */
  token: string | null;
  /** Called for each page that got in. */
  onPage: (port: Port) => void;
}

export interface RunningServer {
  /** With the token in the fragment, which browsers keep to themselves. */
  address: string;
  port: number;
  close(): Promise<void>;
}

/** The largest request: a picture to classify, base64. */
const MESSAGE_BYTES = 80 << 20;
const PAGES_AT_ONCE = 32;
const SHORTEST_TOKEN = 16;
const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Listens. Throws `bad-arguments` for a host that needs a token, or an address that cannot be had. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  requireToken(options);
  const token = options.token ?? createToken();
  const http = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16 << 10 });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES, clientTracking: true });
  const port = await listen(http, options);
  const hosts = allowedHosts(options.host, port);
  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    isAllowedSource({ host: headers.host, origin: headers.origin }, hosts, { anyHost: ANY_ADDRESS.has(options.host) });

  http.on('request', (request, response) => {
    if (!isAllowed(request)) refuse(response, 403, 'wrong host or origin');
    else void servePage(options.page, request, response);
  });
  http.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (!isAllowed(request)) return refuseUpgrade(socket, '403 Forbidden');
    if (pathname !== '/socket') return refuseUpgrade(socket, '404 Not Found');
    if (!isToken(searchParams.get('token'), token)) return refuseUpgrade(socket, '401 Unauthorized');
    if (sockets.clients.size >= PAGES_AT_ONCE) return refuseUpgrade(socket, '503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (client) => options.onPage(webSocketPort(client)));
  });
  return { address: `http://${shownHost(options.host)}:${port}/#token=${token}`, port, close: () => closeAll(http, sockets) };
}

function requireToken({ host, token }: ServerOptions): void {
  if (token !== null && token.length < SHORTEST_TOKEN) {
    throw new PreloraError('bad-arguments', `--token: must be at least ${SHORTEST_TOKEN} characters long`, 'token');
  }
  if (isLoopback(host) || token !== null) return;
  const advice = 'or leave the host and use a tunnel: ssh -L PORT:127.0.0.1:PORT';
  throw new PreloraError('bad-arguments', `--host ${host}: others could reach it; set a --token of your own, ${advice}`, 'host');
}

function listen(http: Server, { host, port }: ServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? `port ${port} is taken; choose another, or 0 for a free one` : error.message;
      reject(new PreloraError('bad-arguments', `--port ${port}: ${why}`, 'port'));
    });
    http.listen({ host, port }, () => resolve((http.address() as AddressInfo).port));
  });
}

async function servePage(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD');
  const requestPath = (request.url ?? '/').split('?', 1)[0] as string;
  const file = await readPageFile(root, requestPath);
  if (!file) return refuse(response, 404, 'not found');
  response.writeHead(200, { ...PAGE_HEADERS, 'Content-Type': file.type, 'Content-Length': file.content.length });
  response.end(request.method === 'HEAD' ? undefined : file.content);
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...PAGE_HEADERS, 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
  response.end(`${text}\n`);
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function shownHost(host: string): string {
  if (ANY_ADDRESS.has(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

async function closeAll(http: Server, sockets: WebSocketServer): Promise<void> {
  for (const client of sockets.clients) client.terminate();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
}
