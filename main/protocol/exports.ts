/** Handing a model to other programs (formats.md sections 3 to 6 and 13): what is asked, and what came of it. */
import './jitless.ts';
import { z } from 'zod';
import { CheckpointName } from './results.ts';

export const ExportFormat = z.enum(['hf', 'peft', 'timm', 'onnx']);
export type ExportFormat = z.output<typeof ExportFormat>;
/** Those whose weights are safetensors files. */
export type TensorFormat = Exclude<ExportFormat, 'onnx'>;

export const ExportSettings = z.strictObject({
  format: ExportFormat,
  checkpoint: CheckpointName.default('best'),
  /** Which vocabulary a PEFT adapter's tensors are named in; one of them alone is read by some versions of transformers only. */
  names: z.enum(['both', 'classic', 'renamed']).default('both'),
  /** PEFT: what the base holds: all but the adapters as of this checkpoint, or as of the freeze, and the adapter what moved since. */
  baseWeights: z.enum(['checkpoint', 'freeze']).default('checkpoint'),
  /** PEFT: whose folder the base is, and whose names the adapter has. */
  peftBase: z.enum(['hf', 'timm']).default('hf'),
  /** PEFT: also the whole model, adapters merged. */
  withMerged: z.boolean().default(false),
  /** As evaluation takes them (the average where one is kept), as they are trained, or the average. */
  weights: z.enum(['evaluated', 'trained', 'average']).default('evaluated'),
  /** Also compare logits and pixels, on validation images, with what the engine computes. */
  verify: z.boolean().default(true),
  /** What lies at the place already is replaced. */
  force: z.boolean().default(false),
});
export type ExportSettings = z.output<typeof ExportSettings>;

/** One of the checks of formats.md section 13. */
export const ExportCheck = z.object({
  id: z.enum(['V1', 'V2', 'V3', 'V4', 'V5']),
  /** What was compared, in words. */
  what: z.string(),
  status: z.enum(['passed', 'failed', 'notRun']),
  /** What was found, or why it was not run. */
  detail: z.string(),
});
export type ExportCheck = z.output<typeof ExportCheck>;

export const ExportedFile = z.object({ name: z.string(), bytes: z.number(), sha256: z.string() });
export type ExportedFile = z.output<typeof ExportedFile>;

/** `partial`: everything that was run passed, but not every check could be run. */
export const ExportVerdict = z.enum(['passed', 'failed', 'partial']);

export const ExportReport = z.object({
  format: ExportFormat,
  /** Where it lies; ends in `.unverified` when a check failed. */
  folder: z.string(),
  step: z.number(),
  epoch: z.number(),
  phase: z.string(),
  status: ExportVerdict,
  checks: z.array(ExportCheck),
  files: z.array(ExportedFile),
  /** A few lines of Python that load it. */
  snippet: z.string(),
  /** What a user should know, one sentence each. */
  notes: z.array(z.string()),
});
export type ExportReport = z.output<typeof ExportReport>;

/** An export that lies in the run's folder, by its prelora.json. */
export const StoredExport = ExportReport.pick({ format: true, folder: true, step: true, phase: true, status: true }).extend({
  /** Of all its files. */
  bytes: z.number(),
});
export type StoredExport = z.output<typeof StoredExport>;
