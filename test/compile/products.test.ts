/**
 * The products of resources/kernels on their own, compiled for several kinds of processor: right to rounding, and the same bits whatever the
 * number of threads, which the compiled step's tests cannot vary within one process.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { findCompiler } from '../../main/engine/compiler.ts';

const compiler = await findCompiler();
const isLinuxPc = process.platform === 'linux' && process.arch === 'x64';
const features = isLinuxPc ? readFileSync('/proc/cpuinfo', 'utf8') : '';
/** Vector widths of 16, 8 and 4; what this processor lacks is left out. */
const PROCESSORS = [
  { march: 'x86-64', needs: /./ },
  { march: 'haswell', needs: /\bavx2\b/ },
  { march: 'skylake-avx512', needs: /\bavx512bw\b/ },
].filter(({ needs }) => needs.test(features));
const folder = mkdtempSync(path.join(tmpdir(), 'prelora products '));
const at = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

describe.skipIf(!compiler || PROCESSORS.length === 0)('products of our own (skipped without a C++ compiler on Linux and x64)', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(PROCESSORS)(
    'for $march are right, and equal for every number of threads',
    ({ march }) => {
      const program = path.join(folder, march);
      const flags = ['-std=c++17', '-O2', `-march=${march}`, '-pthread', '-I', at('../../resources/kernels')];
      execFileSync(compiler as string, [...flags, at('products.cc'), '-o', program]);
      const runs = ['1', '2', '5'].map((threads) => {
        return execFileSync(program, { encoding: 'utf8', env: { ...process.env, TF_NUM_INTRAOP_THREADS: threads } }).trim();
      });
      expect(new Set(runs).size).toBe(1);
      // A few roundings of float32, relative to the sum of all magnitudes.
      expect(Number(runs[0]?.split(' ')[0])).toBeLessThan(1e-6);
    },
    60_000,
  );
});
