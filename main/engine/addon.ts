/**
 * The native addon of an engine: compiled from the binding sources inside @tensorflow/tfjs-node-gpu 4.22 against the library that was unpacked
 * (N-API 8: one binary for Node 18 to 24 and Electron), or tfjs-node's prebuilt one where there is no compiler; and a test of it in a process
 * of its own, because a library that does not fit may abort.
 */
import { execFile, spawn } from 'node:child_process';
import { access, copyFile, mkdir, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { besideArchive, findCompiler } from './compiler.ts';
import { ADDON, LIBRARIES } from './installed.ts';
import { type InstallContext, RoadClosed } from './installProgress.ts';

const require = createRequire(import.meta.url);
const run = promisify(execFile);

/** Makes `folder`/lib/napi-v8/tfjs_binding.node. Throws RoadClosed when there is neither a compiler nor a prebuilt addon. */
export async function makeAddon(folder: string, context: InstallContext): Promise<'compiled' | 'prebuilt'> {
  await mkdir(path.dirname(path.join(folder, ADDON)), { recursive: true });
  const compiler = await findCompiler();
  if (compiler) {
    context.onProgress({ stage: 'compile', message: `compiling the binding with ${compiler} (about 15 s)` });
    await compile(compiler, folder, context.signal);
    return 'compiled';
  }
  const prebuilt = path.join(packageFolder(), ADDON);
  await access(prebuilt).catch(() => {
    throw new RoadClosed('no C++ compiler (g++ or clang++) was found, and no prebuilt tfjs-node addon');
  });
  await copyFile(prebuilt, path.join(folder, ADDON));
  return 'prebuilt';
}

function packageFolder(): string {
  return path.dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
}

async function compile(compiler: string, folder: string, signal: AbortSignal): Promise<void> {
  const binding = path.join(besideArchive(packageFolder()), 'binding');
  const sources = (await readdir(binding)).filter((name) => name.endsWith('.cc')).map((name) => path.join(binding, name));
  const includes = [
    path.join(besideArchive(path.dirname(require.resolve('node-api-headers/package.json'))), 'include'),
    path.join(folder, 'deps', 'include'),
  ];
  const args = [
    ...['-std=c++17', '-O2', '-w', '-fPIC', '-shared', '-DNAPI_VERSION=8'],
    ...includes.map((include) => `-I${include}`),
    ...sources,
    ...['-o', path.join(folder, ADDON)],
    ...[`-L${path.join(folder, LIBRARIES)}`, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib'],
  ];
  await run(compiler, args, { signal }).catch((error: { stderr?: string; message: string }) => {
    throw new RoadClosed(`${compiler} failed: ${firstError(error.stderr ?? error.message)}`);
  });
}

function firstError(text: string): string {
  return text.split('\n').find((line) => /error/i.test(line)) ?? text.split('\n')[0] ?? '';
}

export interface AddonTest {
  /** The library's own version. */
  version: string;
  onGpu: boolean;
}

const TEST_MS = 120_000;

/** [[1, 2], [3, 4]]² on the addon alone, without tfjs; prints what came out as JSON. */
const TEST_PROGRAM = `
const binding = require(process.argv.at(-1));
const id = binding.createTensor([2, 2], binding.TF_FLOAT, new Float32Array([1, 2, 3, 4]));
const transpose = (name) => ({ name, type: binding.TF_ATTR_BOOL, value: false });
const attrs = [transpose('transpose_a'), transpose('transpose_b'), { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }];
const [product] = binding.executeOp('MatMul', attrs, [id, id], 1);
const values = [...binding.tensorDataSync(product.id)];
console.log(JSON.stringify({ version: binding.TF_Version, onGpu: binding.isUsingGpuDevice(), values }));
`;

/** What a test ended with: what it printed, and why it ended when not by itself. */
interface TestEnd {
  printed: string;
  complaint: string;
  outcome: string;
}

/** Loads the addon in a child process and multiplies two matrices with it. Throws RoadClosed with what the child said when that fails. */
export async function testAddon(folder: string, context: InstallContext): Promise<AddonTest> {
  context.onProgress({ stage: 'test', message: 'testing the engine' });
  const { printed, complaint, outcome } = await (process.versions.electron ? testInThread(folder) : testInProcess(folder, context.signal));
  const result = parseResult(printed);
  if (result) return result;
  throw new RoadClosed(`the engine does not work here: ${firstError(complaint) || `its test ended with ${outcome}`}`);
}

function testInProcess(folder: string, signal: AbortSignal): Promise<TestEnd> {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', LD_LIBRARY_PATH: path.join(folder, LIBRARIES) };
  const child = spawn(process.execPath, ['-e', TEST_PROGRAM, path.join(folder, ADDON)], { env, timeout: TEST_MS, signal });
  return new Promise((resolve) => {
    let printed = '';
    let complaint = '';
    child.stdout.on('data', (text: Buffer) => {
      printed += text;
    });
    child.stderr.on('data', (text: Buffer) => {
      complaint += text;
    });
    child.on('error', (error) => resolve({ printed: '', complaint: error.message, outcome: error.message }));
    child.on('close', (code, killedBy) => resolve({ printed: code === 0 ? printed : '', complaint, outcome: String(killedBy ?? code) }));
  });
}

/** Inside Electron, whose executable may not be started as Node (fuse runAsNode): an abort here ends the utility process, and the window stays. */
function testInThread(folder: string): Promise<TestEnd> {
  const worker = new Worker(TEST_PROGRAM, { eval: true, execArgv: [], argv: [path.join(folder, ADDON)], stdout: true });
  return new Promise((resolve) => {
    let printed = '';
    let complaint = '';
    worker.stdout.on('data', (text: Buffer) => {
      printed += text;
    });
    worker.on('error', (error: Error) => {
      complaint = error.message;
    });
    worker.on('exit', (code) => resolve({ printed: code === 0 ? printed : '', complaint, outcome: String(code) }));
  });
}

function parseResult(printed: string): AddonTest | null {
  try {
    const { version, onGpu, values } = JSON.parse(printed) as AddonTest & { values: number[] };
    return values.join() === '7,10,15,22' ? { version, onGpu } : null;
  } catch {
    return null;
  }
}
