/** Exports as the page sees them: written at once, with the checks of a real one; `judge` makes them fail or be partial. */

import type { ProgressEvent } from '../../../main/protocol/events.ts';
import type { ExportCheck, ExportReport, ExportSettings, StoredExport } from '../../../main/protocol/exports.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { engineRequests, HandlersOf } from '../../../main/protocol/requests.ts';
import type { ScriptedRun } from './run.ts';
import { phaseOf } from './run.ts';

const MIB = 2 ** 20;

const SNIPPETS: Record<ExportSettings['format'], string> = {
  hf: `import torch
from transformers import ViTForImageClassification
model = ViTForImageClassification.from_pretrained(".").eval()
logits = model(pixel_values=torch.zeros(1, 3, 64, 64)).logits`,
  peft: `import torch
from peft import PeftModel
from transformers import ViTForImageClassification
base = ViTForImageClassification.from_pretrained("/data/prelora/exports/base")
model = PeftModel.from_pretrained(base, "/data/prelora/exports/adapter").eval()
logits = model(pixel_values=torch.zeros(1, 3, 64, 64)).logits`,
  timm: `import timm, torch
model = timm.create_model("local-dir:.", pretrained=True).eval()
logits = model(torch.zeros(1, 3, 64, 64))`,
  onnx: `import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("/data/prelora/exports/model.onnx")
(logits,) = session.run(None, {"pixel_values": np.zeros((1, 3, 64, 64), np.float32)})`,
};

export class ScriptedExports {
  #verdict: ExportReport['status'] = 'passed';
  readonly #runs: Map<string, ScriptedRun>;
  readonly #stored = new Map<string, StoredExport[]>();

  readonly #tell: (progress: ProgressEvent) => void;
  #go: (() => void) | null = null;
  #isHeld: Promise<void> = Promise.resolve();

  constructor(runs: Map<string, ScriptedRun>, tell: (progress: ProgressEvent) => void) {
    this.#runs = runs;
    this.#tell = tell;
  }

  /** The next export stays at its second step until `release`. */
  hold(): void {
    this.#isHeld = new Promise((go) => (this.#go = go));
  }

  release(): void {
    this.#go?.();
  }

  /** What the checks of the next exports find. */
  judge(verdict: ExportReport['status']): void {
    this.#verdict = verdict;
  }

  readonly handlers = {
    'run:export': async ({ runId, folder, settings }) => {
      const run = this.#runs.get(runId) as ScriptedRun;
      const step = typeof settings.checkpoint === 'number' ? settings.checkpoint : run.step;
      if (folder?.includes('taken'))
        throw new PreloraError('bad-arguments', `${folder} exists; choose another place, or replace it (--force)`, 'out');
      for (const message of ['writing the files', 'reading back and comparing every file'])
        this.#tell({ task: 'export', message, fraction: null });
      await this.#isHeld;
      const own = `/data/prelora/runs/${runId}/exports/${settings.format}-step-${step}`;
      const place = `${folder ?? own}${this.#verdict === 'failed' ? '.unverified' : ''}`;
      const report = reportOf(settings, { step, phase: phaseOf(run), folder: place, status: this.#verdict });
      if (folder === null) this.#keep(runId, report);
      return report;
    },
    'run:exports': async ({ runId }) => this.#stored.get(runId) ?? [],
  } satisfies Pick<HandlersOf<typeof engineRequests>, 'run:export' | 'run:exports'>;

  #keep(runId: string, { format, folder, step, phase, status, files }: ExportReport): void {
    const others = (this.#stored.get(runId) ?? []).filter((own) => own.folder !== folder);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    this.#stored.set(runId, [...others, { format, folder, step, phase, status, bytes }]);
  }
}

type Place = Pick<ExportReport, 'step' | 'phase' | 'folder' | 'status'>;

function reportOf(settings: ExportSettings, place: Place): ExportReport {
  const { format } = settings;
  const names =
    format === 'peft'
      ? [
          'adapter/README.md',
          'adapter/adapter_config.json',
          'adapter/adapter_model.safetensors',
          'base/config.json',
          'base/model.safetensors',
        ]
      : ['README.md', 'config.json', 'model.safetensors', 'preprocessor_config.json'];
  const files = names.map((name, index) => ({
    name,
    bytes: name.endsWith('model.safetensors') ? 20.4 * MIB : 1200 + index,
    sha256: `${index}9f2c4`.padEnd(64, 'a7'),
  }));
  const notes = ['Image files with an EXIF rotation must be turned before; this program does it, loaders based on Pillow do not.'];
  return { format, ...place, epoch: place.step / 250, checks: checksOf(place.status), files, snippet: SNIPPETS[format], notes };
}

function checksOf(verdict: ExportReport['status']): ExportCheck[] {
  const passed = (id: ExportCheck['id'], what: string, detail: string): ExportCheck => ({ id, what, status: 'passed', detail });
  const tensors = passed('V2', 'every tensor, mapped back', '150 tensors equal to the last bit');
  const pixels = passed('V5', 'pixels by the written preprocessing', '8 images, largest difference 0 (limit 1.0e-6)');
  return [
    passed('V1', 'sizes and SHA-256 of the files', '4 files'),
    verdict === 'failed' ? { ...tensors, status: 'failed', detail: 'blocks.3.attn.q.weight[17]: is 0.0183, not 0.0181' } : tensors,
    passed('V3', 'sizes, labels, preprocessing, ranks', '18 fields'),
    passed('V4', 'logits of a model built from the files', '64 images, largest difference 3.1e-6 (limit 1.2e-4), every first class equal'),
    verdict === 'partial' ? { ...pixels, status: 'notRun', detail: "the run's images are not here: /data/flowers: not found" } : pixels,
  ];
}
