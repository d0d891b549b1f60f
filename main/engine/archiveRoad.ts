/**
 * tfjs-node's own road: the libtensorflow archive and the prebuilt addon that its install script would fetch, without its node-pre-gyp. The one
 * road on macOS and Windows. Untested, see sources.ts. `tar` (bsdtar on Windows and macOS, which reads zip as well) unpacks.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { ADDON, LIBRARIES } from './installed.ts';
import { checkNotStopped, type InstallContext, RoadClosed } from './installProgress.ts';
import type { ArchiveRecipe } from './sources.ts';

const ANSWER_MS = 15_000;

/** Fills `work`/deps and `work`/lib. Throws RoadClosed when the host cannot be reached. */
export async function takeArchiveRoad(recipe: ArchiveRecipe, work: string, context: InstallContext): Promise<void> {
  const library = path.join(work, `library${extension(recipe.library)}`);
  const addon = path.join(work, `addon${extension(recipe.addon)}`);
  await download(recipe.library, library, context);
  await download(recipe.addon, addon, context);
  await unpack(library, path.join(work, 'deps'), []);
  await unpack(addon, path.dirname(path.join(work, ADDON)), ['--strip-components=1']);
  // Windows looks for a DLL beside the addon and knows no rpath.
  if (recipe.platform.startsWith('win32')) {
    await copyFile(path.join(work, LIBRARIES, 'tensorflow.dll'), path.join(path.dirname(path.join(work, ADDON)), 'tensorflow.dll'));
  }
}

function extension(url: string): string {
  return url.endsWith('.zip') ? '.zip' : '.tar.gz';
}

async function download(url: string, target: string, context: InstallContext): Promise<void> {
  const { host } = new URL(url);
  const opening = AbortSignal.any([context.signal, AbortSignal.timeout(ANSWER_MS)]);
  const probe = await fetch(url, { method: 'HEAD', signal: opening }).catch((error: Error) => {
    throw new RoadClosed(`${host} cannot be reached (${error.cause instanceof Error ? error.cause.message : error.message})`);
  });
  checkNotStopped(context);
  if (!probe.ok) throw new RoadClosed(`${host} answered ${probe.status} for ${path.basename(url)}`);
  const response = await fetch(url, { signal: context.signal });
  if (!response.ok || !response.body) throw new RoadClosed(`${host} answered ${response.status} for ${path.basename(url)}`);
  const total = Number(response.headers.get('content-length') ?? 0);
  let done = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      context.onProgress({ stage: 'download', message: `downloading ${path.basename(url)}`, done, total: Math.max(total, done) });
      next(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body as ReadableStream), meter, createWriteStream(target), { signal: context.signal });
}

async function unpack(archive: string, folder: string, options: string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  await new Promise<void>((resolve, reject) => {
    const tar = spawn('tar', ['-xf', archive, '-C', folder, ...options], { stdio: 'ignore' });
    tar.on('error', (error) => reject(new RoadClosed(`tar does not start (${error.message})`)));
    tar.on('close', (code) => (code === 0 ? resolve() : reject(new RoadClosed(`tar could not unpack ${path.basename(archive)}`))));
  });
}
