/** Single tensors of a checkpoint, without loading the rest: for looking at weights of runs that may be going on. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkpointFolder, type PARTS, STATE_FILE } from './checkpoint.ts';
import { readManifest } from './checkpointReading.ts';
import { SafetensorsFile, type Tensor } from './safetensors.ts';

type Part = (typeof PARTS)[number];

export interface CheckpointTensors {
  step: number;
  shapes: ReadonlyMap<string, readonly number[]>;
  /** Null when the checkpoint has no such tensor. */
  read(name: string, part?: Extract<Part, 'model' | 'optimizer'>): Promise<Tensor | null>;
  /** state.json as it is. */
  state: unknown;
  close(): Promise<void>;
}

/** Opens the files whose manifest tells of them. Throws `checkpoint-damaged` or `unsafe-tensors`. */
export async function openCheckpointTensors(runDir: string, step: number): Promise<CheckpointTensors> {
  await readManifest(runDir, step);
  const folder = checkpointFolder(runDir, step);
  const model = await SafetensorsFile.open(path.join(folder, 'model.safetensors'));
  try {
    const optimizer = await SafetensorsFile.open(path.join(folder, 'optimizer.safetensors'));
    const files = { model, optimizer };
    return {
      step,
      shapes: new Map([...model.header.tensors].map(([name, { shape }]) => [name, shape])),
      read: async (name, part = 'model') => (files[part].header.tensors.has(name) ? files[part].read(name) : null),
      state: JSON.parse(await readFile(path.join(folder, STATE_FILE), 'utf8')),
      close: async () => void (await Promise.all([model.close(), optimizer.close()])),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}
