/**
 * Gets one wheel into the downloads folder, checked against its sha256: already there; through pip, which knows the user's mirrors, proxies and
 * cache; or by plain HTTPS from a simple index (PEP 503 in HTML, PEP 691 in JSON). A wheel begun before is continued by HTTPS, because pip
 * cannot continue one that an earlier pip began.
 */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { acceptDownload, fetchFile, type KnownFile, sizeOf } from './fetchFile.ts';
import { checkNotStopped, type InstallContext, RoadClosed } from './installProgress.ts';
import type { Wheel } from './sources.ts';

export interface WheelPlaces {
  /** Kept from attempt to attempt. */
  downloads: string;
  /** This attempt's own folder. */
  work: string;
  /** Base of the simple index, ending in a slash. */
  index: string;
  /** Command that starts Python, null to do without pip. */
  python: string | null;
}

/** Path of the wheel in the downloads folder. Throws RoadClosed with all reasons when no source can be reached. */
export async function obtainWheel(wheel: Wheel, places: WheelPlaces, context: InstallContext): Promise<string> {
  const target = path.join(places.downloads, wheel.file);
  const known: KnownFile = { name: wheel.file, bytes: wheel.bytes, sha256: wheel.sha256 };
  await mkdir(places.downloads, { recursive: true });
  if ((await sizeOf(target)) > 0) {
    await acceptDownload(target, target, known, target, context);
    return target;
  }
  const isBegun = (await sizeOf(`${target}.part`)) > 0;
  const roads = [() => throughPip(wheel, known, places, context), () => overHttps(wheel, known, places, context)];
  await takeFirstOpen(isBegun ? roads.reverse() : roads, context);
  return target;
}

async function takeFirstOpen(roads: (() => Promise<void>)[], context: InstallContext): Promise<void> {
  const reasons: string[] = [];
  for (const road of roads) {
    checkNotStopped(context);
    try {
      return await road();
    } catch (error) {
      if (!(error instanceof RoadClosed)) throw error;
      reasons.push(error.message);
    }
  }
  throw new RoadClosed(reasons.join('; '));
}

async function overHttps(wheel: Wheel, known: KnownFile, places: WheelPlaces, context: InstallContext): Promise<void> {
  const url = await findInIndex(wheel, places.index, context.signal);
  await fetchFile(url, path.join(places.downloads, wheel.file), known, context);
}

const INDEX_MS = 15_000;

/** Address of the wheel's file in the project's page of the index. */
async function findInIndex(wheel: Wheel, index: string, signal: AbortSignal): Promise<string> {
  const page = new URL(`${wheel.project}/`, index);
  const headers = { Accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5' };
  const response = await fetch(page, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(INDEX_MS)]) }).catch(
    (error: Error) => {
      throw new RoadClosed(`${page.host} cannot be reached (${error.cause instanceof Error ? error.cause.message : error.message})`);
    },
  );
  if (!response.ok) throw new RoadClosed(`${page.host} answered ${response.status} for ${wheel.project}`);
  const links = response.headers.get('content-type')?.includes('json')
    ? jsonLinks(await response.json())
    : htmlLinks(await response.text());
  const link = links.find((candidate) => new URL(candidate, page).pathname.endsWith(`/${wheel.file}`));
  if (!link) throw new RoadClosed(`${page.host} does not list ${wheel.file}`);
  return new URL(link, page).href;
}

function jsonLinks(page: unknown): string[] {
  const { files } = page as { files?: { url?: unknown }[] };
  return Array.isArray(files) ? files.map(({ url }) => String(url)) : [];
}

function htmlLinks(page: string): string[] {
  return [...page.matchAll(/href\s*=\s*"([^"#]+)/gi)].map((match) => (match[1] ?? '').replaceAll('&amp;', '&'));
}

/** `pip download`, in this attempt's folder; its growth there is the progress. */
async function throughPip(wheel: Wheel, known: KnownFile, places: WheelPlaces, context: InstallContext): Promise<void> {
  if (places.python === null) throw new RoadClosed('pip is not used');
  const folder = path.join(places.work, 'pip');
  await mkdir(folder, { recursive: true });
  const watch = setInterval(async () => {
    const done = await largestFile(folder);
    context.onProgress({
      stage: 'download',
      message: `downloading ${known.name} with pip`,
      done: Math.min(done, known.bytes),
      total: known.bytes,
    });
  }, 500);
  try {
    await runPip(places.python, [...pipArguments(wheel), '--dest', folder, `${wheel.project}==${wheel.version}`], folder, context.signal);
  } finally {
    clearInterval(watch);
  }
  const file = path.join(folder, wheel.file);
  if ((await sizeOf(file)) === 0) throw new RoadClosed(`pip gave another file than ${wheel.file}`);
  await acceptDownload(file, path.join(places.downloads, wheel.file), known, 'pip', context);
}

/** Asks for this very file whatever Python runs pip: the platform is the last part of a wheel's name. */
function pipArguments(wheel: Wheel): string[] {
  const platforms = (
    wheel.file
      .replace(/\.whl$/, '')
      .split('-')
      .at(-1) ?? ''
  ).split('.');
  const target = ['--python-version', '3.11', '--implementation', 'cp', ...platforms.flatMap((platform) => ['--platform', platform])];
  return ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--timeout', '15', '--retries', '1', ...target];
}

function runPip(python: string, args: string[], folder: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // pip downloads below TMPDIR and moves afterwards: so an interrupted download can be found and continued (adoptPipDownloads).
    const child = spawn(python, args, { env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'ignore', 'pipe'], signal });
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => {
      complaint += text;
    });
    child.on('error', (error) => reject(new RoadClosed(signal.aborted ? 'stopped' : `${python} does not start (${error.message})`)));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new RoadClosed(`pip failed: ${lastLine(complaint)}`))));
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'no reason given';
}

/** Size of the largest file below `folder`: what pip has of the wheel so far. */
async function largestFile(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  return Math.max(0, ...(await Promise.all(files.map((name) => sizeOf(path.join(folder, name))))));
}

/**
 * Takes the beginnings of wheels that a killed attempt's pip left in `abandoned` over as `.part` files. Safe whatever they hold: the whole
 * file is checked against its sha256.
 */
export async function adoptPipDownloads(abandoned: string, downloads: string): Promise<void> {
  const names = await readdir(path.join(abandoned, 'pip'), { recursive: true }).catch(() => []);
  for (const name of names.filter((candidate) => candidate.endsWith('.whl'))) {
    const part = path.join(downloads, `${path.basename(name)}.part`);
    const file = path.join(abandoned, 'pip', name);
    if ((await sizeOf(file)) <= (await sizeOf(part))) continue;
    await mkdir(downloads, { recursive: true });
    await rm(part, { force: true });
    await rename(file, part);
  }
}
