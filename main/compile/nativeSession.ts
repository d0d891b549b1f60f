/**
 * One TensorFlow session over a graph, through tfjs-node's binding: load, run by names, free. The binding knows tensors by number; every number
 * that comes into being here is freed here (tfjs-node-gpu/binding/tfjs_backend.cc, 4.22).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DT } from './graph.ts';
import { SERVE } from './graphWriter.ts';
import type { HostArray, TensorSpec } from './program.ts';

/** What is used of tfjs-node's binding. */
export interface NativeBinding {
  createTensor(shape: number[], dtype: number, values: HostArray): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): { id: number }[];
  getNumOfTensors(): number;
}

export interface Feed {
  /** `node:0` */
  readonly name: string;
  readonly spec: TensorSpec;
  readonly value: HostArray;
}

export class NativeSession {
  readonly #binding: NativeBinding;
  #model: number | undefined;

  /** Loads the SavedModel's bytes. TensorFlow takes a folder, so they pass through a temporary file. */
  constructor(binding: NativeBinding, savedModel: Uint8Array) {
    this.#binding = binding;
    const folder = mkdtempSync(path.join(os.tmpdir(), 'prelora-graph-'));
    try {
      writeFileSync(path.join(folder, 'saved_model.pb'), savedModel);
      this.#model = binding.loadSavedModel(folder, SERVE);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** One native call. Returns the fetched values in the order of `fetches`; there must be at least one. */
  run(feeds: readonly Feed[], fetches: readonly string[]): HostArray[] {
    const inputs: number[] = [];
    try {
      for (const { spec, value } of feeds) inputs.push(this.#binding.createTensor([...spec.shape], DT[spec.dtype], value));
      const names = feeds.map(({ name }) => name).join(',');
      const results = this.#binding.runSavedModel(this.#loaded(), inputs, names, fetches.join(','));
      return results.map(({ id }) => this.#take(id));
    } finally {
      for (const id of inputs) this.#binding.deleteTensor(id);
    }
  }

  dispose(): void {
    if (this.#model !== undefined) this.#binding.deleteSavedModel(this.#model);
    this.#model = undefined;
  }

  #take(id: number): HostArray {
    try {
      return this.#binding.tensorDataSync(id);
    } finally {
      this.#binding.deleteTensor(id);
    }
  }

  #loaded(): number {
    if (this.#model === undefined) throw new Error('the program is disposed');
    return this.#model;
  }
}
