/** The tensors of a run between two programs: what a phase change carries over and a checkpoint holds. */
import type { HostTensor } from '../model/init.ts';

/** Tensors of a run outside any backend; what a checkpoint holds. */
export interface TensorState {
  /** Parameters by path, adapters included. */
  parameters: Map<string, HostTensor>;
  /** `m/{path}` and `v/{path}` of what trains now. */
  moments: Map<string, HostTensor>;
  /** t of every trainable parameter. */
  updateCounts: Map<string, number>;
  /** Effective weight of every module at the last snapshot; null before the first, and when distances are not tracked. */
  previous: Map<string, HostTensor> | null;
  /** Averaged copies by path; null when none are kept. */
  average: Map<string, HostTensor> | null;
}
