/**
 * Who may talk to the server. The token is the key; Host and Origin checks keep other sites out even when a browser on this machine is made
 * to ask for them (DNS rebinding, cross-site WebSocket hijacking). After OWASP's WebSocket security cheat sheet.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, safe in an address. */
export function createToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Compared by hash and in constant time, so that neither length nor content of the right one can be timed. */
export function isToken(given: string | null, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== null && timingSafeEqual(digest(given), digest(right));
}

/** Loopback addresses and names; only these are listened on without a token of the user's. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The values of the Host header this server answers to: the address it listens on, and this machine's loopback names. */
export function allowedHosts(host: string, port: number): Set<string> {
  const names = new Set(['127.0.0.1', 'localhost', '[::1]', host.includes(':') ? `[${host}]` : host]);
  return new Set([...names].map((name) => `${name}:${port}`));
}

export interface HeaderCheck {
  host: string | undefined;
  origin: string | undefined;
}

/**
 * Whether a request may come from where it says. `anyHost` is set when the user listens on all addresses: then the machine has names the
 * server cannot know, the token has to do, and Origin must still be the very host that was asked.
 */
export function isAllowedSource({ host, origin }: HeaderCheck, hosts: ReadonlySet<string>, { anyHost = false } = {}): boolean {
  if (host === undefined || (!anyHost && !hosts.has(host.toLowerCase()))) return false;
  // Programs send no Origin; browsers always do for WebSockets and never for plain page loads.
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}
