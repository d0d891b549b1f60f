/**
 * The page's built files, and nothing else: a request path becomes a file inside the folder or nothing. No listing, no links out of it, no
 * hidden files. The same rules and headers for browser mode (main/server) and the shell's app:// scheme. reliability.md, "Security".
 */
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** No eval, no inline code, no frames, no other hosts; styles set by script go through the CSSOM and need no exception. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Sent with every answer. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Cache-Control': 'no-store',
};

export interface PageFile {
  content: Buffer;
  type: string;
}

/** The file for the path of a request (`/` is index.html), or null when there is none to give. */
export async function readPageFile(root: string, requestPath: string): Promise<PageFile | null> {
  const file = pageFilePath(root, requestPath);
  const type = file && TYPES[path.extname(file).toLowerCase()];
  if (!file || !type) return null;
  try {
    // A link inside the folder must not lead out of it.
    const real = await realpath(file);
    if (!isInside(await realpath(root), real)) return null;
    return { content: await readFile(real), type };
  } catch {
    return null;
  }
}

/** Where a request path lies below `root`, or null for one that is malformed, hidden or leads elsewhere. */
export function pageFilePath(root: string, requestPath: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(requestPath);
  } catch {
    return null;
  }
  if (decoded.includes('\0') || decoded.includes('\\') || !decoded.startsWith('/')) return null;
  const parts = decoded === '/' ? ['index.html'] : decoded.split('/').slice(1);
  if (parts.some((part) => part === '' || part.startsWith('.') || part.includes(':'))) return null;
  const file = path.join(root, ...parts);
  return isInside(root, file) ? file : null;
}

function isInside(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}
