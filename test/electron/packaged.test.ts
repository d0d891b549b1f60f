/**
 * The packaged program: electron-builder's `--dir` output round the Electron runtime that is here, with the fuses set, started and driven.
 * Skipped without a runtime; without the registry, electron-builder cannot be installed and the test fails saying so.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packagingTools } from '../../build/package.mjs';
import { config } from '../../build/packaging/config.mjs';
import { root } from '../../build/transpile.mjs';
import { findCompiler } from '../../main/engine/compiler.ts';
import { findEngine } from '../../main/engine/installed.ts';
import type { ResultOf } from '../../main/protocol/requests.ts';
import type { AppDescription, DatasetReport } from '../../main/protocol/results.ts';
import { desktopRuntime } from '../support/desktopApp.ts';
import { type PackagedApp, type Packed, packCheckout, startPackagedApp } from '../support/packagedApp.ts';
import { SMALL_RUN } from '../support/smallRun.ts';

const runtime = desktopRuntime();
const why = 'why' in runtime ? runtime.why : null;
const engine = findEngine('cpu');
const cannotCompile = !engine || !(await findCompiler());

/** Fuses by electron-builder's names, as @electron/fuses numbers them. */
const FUSE_NUMBERS = {
  runAsNode: 0,
  enableCookieEncryption: 1,
  enableNodeOptionsEnvironmentVariable: 2,
  enableNodeCliInspectArguments: 3,
  enableEmbeddedAsarIntegrityValidation: 4,
  onlyLoadAppFromAsar: 5,
} as const;
/** What the wire in the executable holds for a fuse that is on: the character 1. */
const ON = 49;

describe.skipIf(why !== null)(`the packaged program${why ? ` (skipped: ${why})` : ''}`, () => {
  let packed: Packed;
  let packaged: PackagedApp;
  const prelora = (...args: string[]): string =>
    execFileSync(process.execPath, [path.join(root, 'build', 'prelora.mjs'), ...args], {
      env: { ...process.env, PRELORA_DATA_DIR: packaged.dataDir },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  beforeAll(async () => {
    packed = await packCheckout((runtime as { binary: string }).binary);
    const intruder = path.join(packed.folder, 'intruder.cjs');
    writeFileSync(intruder, "console.error('the intruder ran');");
    // All that the fuses must make it deaf to, at once: as Node it would print a version and end.
    packaged = await startPackagedApp(packed.executable, {
      args: ['--inspect=0'],
      env: { ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: `--require "${intruder}"` },
    });
  }, 300_000);
  afterAll(async () => {
    await packaged?.close();
    packed?.remove();
  });

  it('has the fuses of its configuration set in its executable', async () => {
    const tools = packagingTools();
    const { getCurrentFuseWire } = (await import(pathToFileURL(tools?.resolve('@electron/fuses') ?? '').href)) as {
      getCurrentFuseWire(file: string): Promise<Record<number, number>>;
    };
    const wire = await getCurrentFuseWire(packed.executable);
    for (const [name, number] of Object.entries(FUSE_NUMBERS)) expect(wire[number] === ON, name).toBe(config.electronFuses[name]);
  });

  it('starts as itself: not as Node, without options from outside, without an inspector', () => {
    expect(packaged.page.url()).toMatch(/^app:\/\/workbench\//);
    expect(packaged.said()).not.toContain('the intruder ran');
    expect(packaged.said()).not.toContain('Debugger listening');
  });

  it('carries its code in app.asar alone, and no engine', () => {
    const resources = path.join(packed.folder, 'resources');
    expect(readdirSync(resources).filter((name) => name.startsWith('app') && !name.startsWith('app.asar'))).toEqual([]);
    expect(existsSync(path.join(resources, 'app.asar'))).toBe(true);
    const files = readdirSync(packed.folder, { recursive: true }).map(String);
    expect(files.filter((name) => /libtensorflow|tfjs_binding\.node/.test(name))).toEqual([]);
  });

  it('carries what the engine’s addon is compiled from, where a compiler can read it', () => {
    const beside = path.join(packed.folder, 'resources', 'app.asar.unpacked', 'node_modules');
    expect(readdirSync(path.join(beside, '@tensorflow', 'tfjs-node-gpu', 'binding'))).toContain('tfjs_backend.cc');
    expect(readdirSync(path.join(beside, 'node-api-headers', 'include'))).toContain('node_api.h');
  });

  it('finds what it ships: version, presets, the sample with its pictures', async () => {
    const description = (await packaged.ask('app:describe', {})).value as AppDescription;
    expect(description.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(description.presets.map(({ name }) => name)).toContain('sample');
    const report = (await packaged.ask('data:inspect', { data: { source: 'sample' } })).value as DatasetReport;
    // Pictures are made with sharp: its library is loaded from outside the asar.
    expect(report.thumbnails[0]?.image).toMatch(/^data:image\/png;base64,/);
  });

  it('trains to the end on wasm, in a worker thread out of the asar, and the checkout’s CLI reads the run', async () => {
    const engine = { ...SMALL_RUN.engine, backend: 'wasm' };
    const started = await packaged.ask('run:start', { config: { ...SMALL_RUN, engine, train: { ...SMALL_RUN.train, epochs: 2 } } });
    expect(started).toMatchObject({ ok: true });
    const { runId } = started.value as ResultOf<'run:start'>;
    const summary = async () => ((await packaged.ask('run:state', { runId })).value as ResultOf<'run:state'>).summary;
    await expect.poll(async () => (await summary()).status.status, { timeout: 60_000 }).toBe('finished');
    const { dir, status } = await summary();
    expect(status.backend.name).toBe('wasm');
    expect(JSON.parse(prelora('eval', dir, '--json'))).toMatchObject({ step: 16, count: 32 });
  });

  it('shows a run of the checkout’s CLI: its row appears, and it opens with its numbers', async () => {
    const { page, dataDir } = packaged;
    prelora(
      'train',
      '--preset',
      'smoke',
      '--set',
      'name=by-the-cli',
      '--backend',
      'wasm',
      '--out',
      path.join(dataDir, 'runs', 'by-the-cli'),
    );
    await page.reload();
    await page.getByRole('link', { name: 'Runs' }).click();
    await page.getByText('by-the-cli').first().click();
    await page.getByRole('application', { name: 'Loss, top-1' }).waitFor({ timeout: 30_000 });
    await page.getByText('Finished').first().waitFor();
  });

  it.skipIf(cannotCompile)(
    'compiles the compute kernels beside an engine that has none, and says so when it may not',
    {
      timeout: 400_000,
    },
    async () => {
      const engines = mkdtempSync(path.join(tmpdir(), 'prelora engines '));
      const bare = bareEngine(engines);
      const sentence = async (app: PackagedApp): Promise<string> =>
        ((await app.ask('app:describe', {})).value as AppDescription).engines[0]?.why ?? '';
      const without = await startPackagedApp(packed.executable, { env: { PRELORA_ENGINES_DIR: engines, CXX: '', PATH: '/nonexistent' } });
      expect(await sentence(without)).toContain('no C++ compiler');
      await without.page.locator('[data-region="status"]').getByText('no C++ compiler').waitFor();
      await without.close();
      const compiling = await startPackagedApp(packed.executable, { env: { PRELORA_ENGINES_DIR: engines } });
      const built = (): string[] => readdirSync(bare, { recursive: true }).map(String);
      await expect.poll(built, { timeout: 300_000 }).toContainEqual(expect.stringMatching(/^kernels.*prelora_kernels\.node$/));
      await expect.poll(() => sentence(compiling)).not.toContain('kernels');
      await compiling.close();
      rmSync(engines, { recursive: true, force: true });
    },
  );
});

/** The engine of this machine, without its kernels. */
function bareEngine(engines: string): string {
  const { folder } = engine as NonNullable<typeof engine>;
  const bare = path.join(engines, path.basename(folder));
  mkdirSync(bare);
  cpSync(path.join(folder, 'engine.json'), path.join(bare, 'engine.json'));
  for (const name of ['deps', 'lib']) symlinkSync(path.join(folder, name), path.join(bare, name));
  return bare;
}
