/**
 * A resumable HTTPS download with a known size and checksum. What has arrived stays in `FILE.part`; the next attempt, in this process or a
 * later one, asks for the rest with a Range header (RFC 9110, section 14). A server that stalls is given up quickly.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { PreloraError } from '../protocol/reply.ts';
import { checkNotStopped, type InstallContext, inMegabytes, RoadClosed } from './installProgress.ts';

export interface KnownFile {
  /** What people see. */
  name: string;
  bytes: number;
  sha256: string;
}

const ATTEMPTS = 4;
const ANSWER_MS = 15_000;
const STALL_MS = 30_000;

/** Size of a file, 0 when it is not there. */
export async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (found) => found.size,
    () => 0,
  );
}

/**
 * Downloads to `target`, checked. Throws RoadClosed when the server cannot be reached or does not answer, `engine-install` when the
 * content is not the expected one (it is deleted then).
 */
export async function fetchFile(url: string, target: string, known: KnownFile, context: InstallContext): Promise<void> {
  const part = `${target}.part`;
  let failure: unknown;
  for (let attempt = 0; attempt < ATTEMPTS && (await sizeOf(part)) < known.bytes; attempt++) {
    const before = await sizeOf(part);
    failure = await fetchRest(url, part, known, context).catch((error: unknown) => error);
    checkNotStopped(context);
    if (failure instanceof RoadClosed || failure instanceof PreloraError) throw failure;
    // A server that gave nothing at all is not asked again.
    if (failure && (await sizeOf(part)) <= before) break;
  }
  if ((await sizeOf(part)) < known.bytes) throw new RoadClosed(`${new URL(url).host}: ${describeFailure(failure)}`);
  await acceptDownload(part, target, known, url, context);
}

/** One request for what is missing, written at its place in the file. */
async function fetchRest(url: string, part: string, known: KnownFile, context: InstallContext): Promise<void> {
  const patience = new Patience(context.signal);
  try {
    const have = await sizeOf(part);
    const response = await fetch(url, { headers: have > 0 ? { Range: `bytes=${have}-` } : {}, signal: patience.signal });
    if (!response.ok || !response.body) throw new RoadClosed(`${new URL(url).host} answered ${response.status} for ${known.name}`);
    // 200 to a Range request means that the server sends everything again.
    const start = response.status === 206 ? have : 0;
    const file = await open(part, start > 0 ? 'r+' : 'w');
    try {
      await writeBody(response.body, file, start, known, patience, context);
    } finally {
      await file.close();
    }
  } finally {
    patience.end();
  }
}

async function writeBody(
  body: ReadableStream<Uint8Array>,
  file: FileHandle,
  start: number,
  known: KnownFile,
  patience: Patience,
  context: InstallContext,
): Promise<void> {
  let position = start;
  for await (const chunk of body) {
    patience.renew();
    await file.write(chunk, 0, chunk.length, position);
    position += chunk.length;
    if (position > known.bytes) throw wrongContent(known, `longer than ${known.bytes} bytes`);
    context.onProgress({ stage: 'download', message: `downloading ${known.name}`, done: position, total: known.bytes });
  }
}

/** Aborts when the server does not answer, or stops sending, for too long. */
class Patience {
  readonly #stall = new AbortController();
  readonly signal: AbortSignal;
  #timer: NodeJS.Timeout;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#stall.signal]);
    this.#timer = this.#start(ANSWER_MS);
  }

  renew(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start(STALL_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #start(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#stall.abort(new Error(`no answer for ${ms / 1000} s`)), ms);
  }
}

/** Renames a whole download into place when its size and checksum are right; deletes and refuses it otherwise. */
export async function acceptDownload(
  from: string,
  target: string,
  known: KnownFile,
  origin: string,
  context: InstallContext,
): Promise<void> {
  context.onProgress({ stage: 'check', message: `checking ${known.name} (${inMegabytes(known.bytes)})` });
  const found = await sha256Of(from, context.signal);
  if (found !== known.sha256) {
    await rm(from, { force: true });
    throw wrongContent(known, `sha256 ${found} from ${origin}, expected ${known.sha256}`);
  }
  if (from !== target) await rename(from, target);
}

function wrongContent(known: KnownFile, what: string): PreloraError {
  return new PreloraError('engine-install', `${known.name} was refused: ${what}. Nothing was installed; a repeat downloads it anew.`);
}

async function sha256Of(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest('hex');
}

function describeFailure(failure: unknown): string {
  if (!(failure instanceof Error)) return 'the connection ended early';
  // fetch() says only "fetch failed"; its cause names the reason.
  return failure.cause instanceof Error ? failure.cause.message : failure.message;
}
