/** The wheel road: TensorFlow's library (and CUDA's, for the GPU) out of PyPI wheels, unpacked to where tfjs-node's addon looks for it. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { LIBRARIES } from './installed.ts';
import { checkNotStopped, type InstallContext, inMegabytes } from './installProgress.ts';
import type { MemberRule, Wheel, WheelRecipe } from './sources.ts';
import { obtainWheel, type WheelPlaces } from './wheelFile.ts';
import { extractZipEntry, readZipDirectory, type ZipEntry } from './zip.ts';

/** Fills `places.work`/deps. Throws RoadClosed when a wheel cannot be had. */
export async function takeWheelRoad(recipe: WheelRecipe, places: WheelPlaces, context: InstallContext): Promise<void> {
  const files: { wheel: Wheel; file: string }[] = [];
  for (const wheel of recipe.wheels) files.push({ wheel, file: await obtainWheel(wheel, places, context) });
  for (const { wheel, file } of files) await unpackWheel(wheel, file, places.work, context);
  await linkLibraries(recipe.links, path.join(places.work, LIBRARIES));
}

async function unpackWheel(wheel: Wheel, file: string, folder: string, context: InstallContext): Promise<void> {
  const wanted = (await readZipDirectory(file)).flatMap((entry) => {
    const place = placeOf(entry, wheel.members);
    return place ? [{ entry, place }] : [];
  });
  const total = wanted.reduce((sum, { entry }) => sum + entry.bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    context.onProgress({ stage: 'unpack', message: `unpacking ${wheel.project} (${inMegabytes(total)})`, done, total });
  };
  for (const { entry, place } of wanted) {
    checkNotStopped(context);
    await extractZipEntry(file, entry, path.join(folder, place), { onBytes, signal: context.signal });
  }
}

/** Where a member goes, or null when it is not needed. A name that climbs out of the folder is never wanted. */
function placeOf(entry: ZipEntry, rules: MemberRule[]): string | null {
  const rule = rules.find(({ from }) => entry.name.startsWith(from));
  if (!rule || entry.name.endsWith('.py') || entry.name.split('/').includes('..')) return null;
  return rule.to + entry.name.slice(rule.from.length);
}

async function linkLibraries(links: Record<string, string>, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, target] of Object.entries(links)) {
    await rm(path.join(folder, name), { force: true });
    await symlink(target, path.join(folder, name));
  }
}
