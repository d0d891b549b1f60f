/** The C++ compiler of this machine, if there is one: it makes the native addon (addon.ts) and the compute kernels (kernels.ts). */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The first of $CXX, g++, clang++ and c++ that answers; null when none does. */
export async function findCompiler(): Promise<string | null> {
  for (const name of [process.env.CXX, 'g++', 'clang++', 'c++']) {
    if (!name) continue;
    const works = await run(name, ['--version']).then(
      () => true,
      () => false,
    );
    if (works) return name;
  }
  return null;
}

/** Node reads files out of a packaged program's app.asar; a compiler reads their copies beside it (build/packaging/config.mjs). */
export function besideArchive(folder: string): string {
  return folder.replace(`app.asar${path.sep}`, `app.asar.unpacked${path.sep}`);
}
