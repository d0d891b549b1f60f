/** Reliability R17: whatever happens during an install, there is a whole engine or none, and a repeat works. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engineStatus, type InstallProgress, installEngine, removeEngine } from '../../main/engine/install.ts';
import { findEngine, listDamaged, listEngines, readEngine } from '../../main/engine/installed.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { type FakeIndex, LIBRARY, sourcesWith, startFakeIndex, WHEEL_FILE } from './support/fakeIndex.ts';
import { fakeToolchain } from './support/fakeToolchain.mjs';
import { installFully, killAt, startInstalling } from './support/installing.ts';

let root: string;
const indexes: FakeIndex[] = [];

beforeEach(() => {
  root = path.join(temporaryFolder(), 'engines');
});
afterEach(async () => {
  for (const index of indexes.splice(0)) await index.close();
});

async function indexWith(options?: Parameters<typeof startFakeIndex>[0]): Promise<FakeIndex> {
  const index = await startFakeIndex(options);
  indexes.push(index);
  return index;
}

/** One whole engine and nothing beside it: no lock, no half build, no download. */
function expectWholeEngine(): void {
  const engine = findEngine('cpu', root);
  expect(engine?.manifest).toMatchObject({ variant: 'cpu', version: '1.0', addon: 'compiled' });
  expect(readFileSync(path.join(engine?.folder ?? '', 'deps', 'lib', 'libtensorflow.so')).equals(LIBRARY)).toBe(true);
  expect(readdirSync(root)).toEqual(['tensorflow-1.0-cpu']);
}

describe('an install', () => {
  test('unpacks what the engine needs, records sizes and sums, and leaves nothing else', async () => {
    const { sources } = await indexWith();
    expect(await installFully({ root, sources })).toBe(`installed ${path.join(root, 'tensorflow-1.0-cpu')}`);
    expectWholeEngine();
    const { manifest, folder } = findEngine('cpu', root)!;
    expect(Object.keys(manifest.files).sort()).toEqual(['deps/lib/libtensorflow_cc.so.2', 'lib/napi-v8/tfjs_binding.node']);
    const sum = createHash('sha256').update(LIBRARY).digest('hex');
    expect(manifest.files['deps/lib/libtensorflow_cc.so.2']).toEqual({ bytes: LIBRARY.length, sha256: sum });
    expect(existsSync(path.join(folder, 'deps', 'include'))).toBe(false);
  });

  test('takes an index in HTML as well', async () => {
    const { sources } = await indexWith({ html: true });
    await installFully({ root, sources });
    expectWholeEngine();
  });

  test('finds the engine that is there and asks no server', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    await installFully({ root, sources: index.sources });
    expect(index.ranges).toHaveLength(1);
  });

  test('replaces an engine whose library was lost, and passes it over until then', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    writeFileSync(path.join(findEngine('cpu', root)!.folder, 'deps', 'lib', 'libtensorflow_cc.so.2'), '');
    expect(listEngines(root)).toEqual([]);
    await installFully({ root, sources: index.sources });
    expectWholeEngine();
  });

  test('continues a connection that breaks again and again', async () => {
    const index = await indexWith({ cutAfter: 300_000 });
    await installFully({ root, sources: index.sources });
    expectWholeEngine();
    const starts = index.ranges.map((range) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(starts).toHaveLength(4);
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
  });

  test('that is stopped by its signal says so, and keeps what was downloaded', async () => {
    const index = await indexWith({ delayMs: 30 });
    const stop = new AbortController();
    const onProgress = ({ done = 0 }): void => {
      if (done > 200_000) stop.abort();
    };
    const install = installEngine({ variant: 'cpu', root, sources: index.sources, python: null, signal: stop.signal, onProgress });
    await expect(install).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(root)).toEqual(['downloads']);
    await installFully({ root, sources: index.sources });
    expectWholeEngine();
    expect(index.ranges[1]).toMatch(/^bytes=\d{6}-$/);
  });
});

describe('an install killed with SIGKILL', () => {
  test.each(['download begun', 'check', 'unpack', 'compile', 'test'])(
    'at "%s" leaves no half engine, and a repeat installs',
    async (line) => {
      const { sources } = await indexWith({ delayMs: line === 'download begun' ? 50 : 0 });
      const slow = line === 'compile' || line === 'test' ? line : undefined;
      await killAt(line, { root, sources, slow });
      expect(listEngines(root)).toEqual([]);
      await installFully({ root, sources });
      expectWholeEngine();
    },
  );

  test('after its engine stood leaves things that the next one removes', async () => {
    const { sources } = await indexWith();
    await installFully({ root, sources });
    writeFileSync(path.join(root, 'install.lock'), JSON.stringify({ pid: 4_194_304, startedAt: '1' }));
    writeFileSync(path.join(root, 'install.lock.4194304.0123abcd'), '');
    mkdirSync(path.join(root, 'downloads'));
    mkdirSync(path.join(root, 'building-4194304-0123abcd'));
    await installFully({ root, sources });
    expectWholeEngine();
  });

  test('at any moment leaves a whole engine or none', async () => {
    const { sources } = await indexWith({ delayMs: 5 });
    for (let delayMs = 120; delayMs < 520; delayMs += 50) {
      const { child, ended } = startInstalling({ root, sources });
      await sleep(delayMs);
      child.kill('SIGKILL');
      await ended;
      for (const name of existsSync(root) ? readdirSync(root) : []) {
        if (name.startsWith('tensorflow-')) expect(readEngine(path.join(root, name)), name).not.toBeNull();
      }
    }
    await installFully({ root, sources });
    expectWholeEngine();
  });

  test('while downloading goes on where it was, also when the server sends everything again', async () => {
    const slow = await indexWith({ delayMs: 50 });
    await killAt('download begun', { root, sources: slow.sources });
    await installFully({ root, sources: slow.sources });
    expectWholeEngine();
    expect(slow.ranges[1]).toMatch(/^bytes=\d+-$/);

    const plain = await indexWith({ delayMs: 20, ignoreRange: true });
    await removeEngine({ root });
    await killAt('download begun', { root, sources: plain.sources });
    await installFully({ root, sources: plain.sources });
    expectWholeEngine();
  });
});

describe('two installs at once', () => {
  test('download once, and both end with the engine', async () => {
    const index = await indexWith({ delayMs: 10 });
    const [first, second] = await Promise.all([
      startInstalling({ root, sources: index.sources }).ended,
      installFully({ root, sources: index.sources }),
    ]);
    expect([first.at(-1), second]).toEqual(Array(2).fill(`installed ${path.join(root, 'tensorflow-1.0-cpu')}`));
    expect(index.ranges).toHaveLength(1);
    expectWholeEngine();
  });

  test.each([
    ['whose process is gone', { pid: 4_194_304, startedAt: '1' }],
    ['whose process number another process has now', { pid: process.pid, startedAt: '1' }],
  ])('a lock %s is taken over', async (_, holder) => {
    const { sources } = await indexWith();
    mkdirSync(root, { recursive: true });
    writeFileSync(path.join(root, 'install.lock'), JSON.stringify(holder));
    await installFully({ root, sources });
    expectWholeEngine();
  });

  test('a lock that a power cut left empty is taken over', async () => {
    const { sources } = await indexWith();
    mkdirSync(root, { recursive: true });
    writeFileSync(path.join(root, 'install.lock'), '');
    await installFully({ root, sources });
    expectWholeEngine();
  });
});

describe('an install that cannot be had', () => {
  test('refuses a wrong checksum with one line, keeps nothing, and says so again', async () => {
    const { wheel, sources } = await indexWith();
    const expected = 'f'.repeat(64);
    const wrong = sourcesWith({ ...wheel, sha256: expected }, sources.index);
    const refusal = `failed engine-install ${WHEEL_FILE} was refused: sha256 ${wheel.sha256} from http://127.0.0.1`;
    for (let attempt = 0; attempt < 2; attempt++) {
      const line = await installFully({ root, sources: wrong });
      expect(line.startsWith(refusal), line).toBe(true);
      expect(line).toContain(`expected ${expected}`);
      expect(readdirSync(path.join(root, 'downloads'))).toEqual([]);
    }
    expect(listEngines(root)).toEqual([]);
  });

  test('refuses more bytes than the wheel has', async () => {
    const { wheel, sources } = await indexWith();
    const line = await installFully({ root, sources: sourcesWith({ ...wheel, bytes: 1000 }, sources.index) });
    expect(line).toContain('was refused: longer than 1000 bytes');
  });

  test('says in one line that no source can be reached, and why', async () => {
    const index = await indexWith();
    await index.close();
    const line = await installFully({ root, sources: index.sources });
    expect(line).toMatch(
      /^failed engine-install no cpu engine could be had: pip is not used; 127\.0\.0\.1:\d+ cannot be reached \(.*ECONNREFUSED.*\)$/,
    );
  });

  test('says that there is no source for this platform', async () => {
    const sources = { index: 'http://127.0.0.1:1/', wheels: [], archives: [] };
    expect(await installFully({ root, sources })).toMatch(/no cpu engine could be had: there is no source for/);
    expect(engineStatus(root, sources).installable).toEqual([]);
  });

  test('names the folder that cannot be written', async () => {
    const { sources } = await indexWith();
    const file = path.join(temporaryFolder(), 'a file');
    writeFileSync(file, '');
    const line = await installFully({ root: path.join(file, 'engines'), sources });
    expect(line).toContain('failed engine-install');
    expect(line).toContain(file);
  });

  test('names the space that is wanted before it downloads', async () => {
    const index = await indexWith();
    const [recipe] = index.sources.wheels;
    const line = await installFully({ root, sources: { ...index.sources, wheels: [{ ...recipe!, diskBytes: 1e18 }] } });
    expect(line).toMatch(/free, an engine needs 1000000000\.0 GB while it is installed/);
    expect(index.ranges).toEqual([]);
  });
});

describe('with pip', () => {
  /** A program that answers `-m pip download … --dest FOLDER …` by running `script` with the folder as $dest. */
  function fakePython(script: string): string {
    const file = path.join(temporaryFolder(), 'python3');
    writeFileSync(file, `#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ndest=$2\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  function fileOf(bytes: Buffer): string {
    const file = path.join(temporaryFolder(), 'source.whl');
    writeFileSync(file, bytes);
    return file;
  }

  test('the wheel comes from pip, and no server is asked', async () => {
    const index = await indexWith();
    const python = fakePython(`cp '${fileOf(index.wheelBytes)}' "$dest/${WHEEL_FILE}"`);
    await installFully({ root, sources: index.sources, python });
    expectWholeEngine();
    expect(index.ranges).toEqual([]);
  });

  test('another content from pip is refused', async () => {
    const index = await indexWith();
    const python = fakePython(`echo another > "$dest/${WHEEL_FILE}"`);
    expect(await installFully({ root, sources: index.sources, python })).toMatch(/was refused: sha256 [0-9a-f]{64} from pip/);
    expect(listEngines(root)).toEqual([]);
  });

  test('HTTPS is taken when pip fails, or is not there', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources, python: fakePython('echo "ERROR: no network" >&2; exit 1') });
    expectWholeEngine();
    await removeEngine({ root });
    await installFully({ root, sources: index.sources, python: '/nonexistent/python3' });
    expectWholeEngine();
  });

  test('a download that was killed inside pip is continued by HTTPS', async () => {
    const index = await indexWith();
    const half = fileOf(index.wheelBytes.subarray(0, 500_000));
    const python = fakePython(`mkdir "$dest/pip-unpack-x" && cp '${half}' "$dest/pip-unpack-x/${WHEEL_FILE}" && exec sleep 3`);
    await killAt('download begun', { root, sources: index.sources, python });
    await installFully({ root, sources: index.sources, python });
    expectWholeEngine();
    expect(index.ranges).toEqual(['bytes=500000-']);
  });
});

describe('a repair', () => {
  const repair = (sources: FakeIndex['sources'], told: InstallProgress[] = []) =>
    installEngine({ variant: 'cpu', root, sources, python: null, repair: true, onProgress: (step) => told.push(step), ...fakeToolchain() });
  const library = () => path.join(findEngine('cpu', root)!.folder, 'deps', 'lib', 'libtensorflow_cc.so.2');

  test('of a whole engine compares every file, and asks no server', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    const told: InstallProgress[] = [];
    expect((await repair(index.sources, told)).manifest).toEqual(findEngine('cpu', root)?.manifest);
    expect(index.ranges).toHaveLength(1);
    expect(told.at(-1)).toMatchObject({ stage: 'check', done: LIBRARY.length + 8, total: LIBRARY.length + 8 });
  });

  test('replaces an engine with one byte changed, which only a checksum sees', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    const before = findEngine('cpu', root)?.manifest.installedAt;
    const changed = Buffer.from(LIBRARY);
    changed.writeUInt8(changed.readUInt8(500_000) ^ 1, 500_000);
    writeFileSync(library(), changed);
    expect(findEngine('cpu', root)?.manifest.installedAt).toBe(before);
    const told: InstallProgress[] = [];
    expect((await repair(index.sources, told)).manifest.installedAt).not.toBe(before);
    expect(told.map(({ message }) => message)).toContain('deps/lib/libtensorflow_cc.so.2 is not what was installed');
    expectWholeEngine();
  });

  test('that cannot be made leaves the damaged engine where it is', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    writeFileSync(library(), Buffer.alloc(LIBRARY.length));
    await index.close();
    await expect(repair(index.sources)).rejects.toMatchObject({ code: 'engine-install' });
    expect(readdirSync(root)).toContain('tensorflow-1.0-cpu');
    expect(findEngine('cpu', root)).not.toBeNull();
  });

  test('that finds another version replaces the damaged one, and does not leave it to be found', async () => {
    const index = await indexWith();
    await installFully({ root, sources: index.sources });
    const older = path.join(root, 'tensorflow-0.9-cpu');
    renameSync(path.join(root, 'tensorflow-1.0-cpu'), older);
    writeFileSync(library(), Buffer.alloc(LIBRARY.length));
    await repair(index.sources);
    expectWholeEngine();
    expect(existsSync(older)).toBe(false);
  });
});

test('a damaged engine is told from one of another platform, and removed like a whole one', async () => {
  const { sources } = await indexWith();
  await installFully({ root, sources });
  const { folder } = findEngine('cpu', root)!;
  cpSync(folder, path.join(root, 'tensorflow-1.0-gpu'), { recursive: true });
  const manifest = path.join(root, 'tensorflow-1.0-gpu', 'engine.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"platform": "[^"]+"/, '"platform": "plan9-mips"'));
  writeFileSync(path.join(folder, 'engine.json'), '{"format":');
  mkdirSync(path.join(root, 'tensorflow-mine'));
  expect(listDamaged(root)).toEqual([{ folder, variant: 'cpu', version: '1.0' }]);
  expect(await removeEngine({ root })).toEqual([folder]);
  expect(readdirSync(root).sort()).toEqual(['tensorflow-1.0-gpu', 'tensorflow-mine']);
});

test('removing takes the engine away and leaves another variant', async () => {
  const { sources } = await indexWith();
  await installFully({ root, sources });
  expect(await removeEngine({ root, variant: 'gpu' })).toEqual([]);
  expect(await removeEngine({ root, variant: 'cpu' })).toEqual([path.join(root, 'tensorflow-1.0-cpu')]);
  expect(readdirSync(root)).toEqual([]);
});
