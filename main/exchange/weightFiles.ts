/** The safetensors files of a model somebody else trained: one, or shards with an index. Only headers are read until a tensor is asked for. */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { systemCode } from '../store/diskFault.ts';
import { SafetensorsFile, type Tensor } from '../store/safetensors.ts';
import { unsafeTensors } from '../store/safetensorsHeader.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** Formats whose reading can run code, or that we do not read. */
const PICKLES = /\.(bin|pt|pth|ckpt|npz|pkl)$/i;

export interface WeightFiles {
  /** config.json of the folder; null for a bare file. */
  config: Record<string, unknown> | null;
  shapes: Map<string, readonly number[]>;
  /** Tensors that are not F32 and are converted. */
  converted: number;
  read(name: string): Promise<Tensor>;
  close(): Promise<void>;
}

/** Opens a file or a folder. Throws `not-found`, or `unsafe-tensors` for what cannot be trusted. */
export async function openWeightFiles(source: string): Promise<WeightFiles> {
  const isFolder = await kindOf(source);
  if (!isFolder) {
    if (PICKLES.test(source)) throw pickle(source);
    return combine(null, [await SafetensorsFile.open(source)]);
  }
  const names = await readdir(source);
  const config = names.includes('config.json') ? await readObject(path.join(source, 'config.json')) : null;
  return combine(config, await openAll((await filesOf(source, names)).map((name) => path.join(source, name))));
}

async function kindOf(source: string): Promise<boolean> {
  try {
    return (await stat(source)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') {
      throw new PreloraError('not-found', `start weights ${source}: no such file or folder`, 'model.startFrom');
    }
    throw error;
  }
}

async function filesOf(folder: string, names: readonly string[]): Promise<string[]> {
  if (names.includes(SINGLE)) return [SINGLE];
  if (names.includes(INDEX)) return shardsOf(folder);
  const found = names.find((name) => PICKLES.test(name));
  if (found) throw pickle(path.join(folder, found));
  throw new PreloraError('not-found', `start weights ${folder}: has neither ${SINGLE} nor ${INDEX}`, 'model.startFrom');
}

async function shardsOf(folder: string): Promise<string[]> {
  const file = path.join(folder, INDEX);
  const { weight_map: map } = await readObject(file);
  const shards = [...new Set(Object.values((map ?? {}) as Record<string, unknown>))];
  for (const name of shards) {
    // A name from elsewhere must not lead outside the folder.
    if (typeof name !== 'string' || path.basename(name) !== name) throw unsafeTensors(file, String(name), 'is not a plain file name');
  }
  return shards as string[];
}

async function readObject(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw unsafeTensors(file, 'file', 'is not a JSON object');
}

async function openAll(files: readonly string[]): Promise<SafetensorsFile[]> {
  const opened: SafetensorsFile[] = [];
  try {
    for (const file of files) opened.push(await SafetensorsFile.open(file));
    return opened;
  } catch (error) {
    for (const file of opened) await file.close();
    throw error;
  }
}

/** Names lose the `vit.` in front, which a bare ViTModel has not: so both kinds read alike. */
function combine(config: WeightFiles['config'], files: readonly SafetensorsFile[]): WeightFiles {
  const places = new Map<string, { file: SafetensorsFile; name: string }>();
  for (const file of files) for (const name of file.header.tensors.keys()) places.set(name.replace(/^vit\./, ''), { file, name });
  const shapes = new Map([...places].map(([plain, { file, name }]) => [plain, file.header.tensors.get(name)?.shape ?? []]));
  return {
    config,
    shapes,
    converted: files.reduce((sum, file) => sum + file.converted.length, 0),
    read(plain) {
      const place = places.get(plain);
      if (!place) throw new PreloraError('internal', `${plain} is in none of the files`);
      return place.file.read(place.name);
    },
    async close() {
      for (const file of files) await file.close();
    },
  };
}

function pickle(file: string): PreloraError {
  const message = `${file} is a pickle or archive that can run code; convert it to safetensors first`;
  return new PreloraError('unsafe-tensors', message, 'model.startFrom');
}
