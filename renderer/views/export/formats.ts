/** The formats a model is handed on in, as the page names and explains them. */
import type { ExportFormat } from '../../../main/protocol/exports.ts';

export const FORMATS: readonly { value: ExportFormat; label: string; about: string }[] = [
  {
    value: 'hf',
    label: 'Hugging Face',
    about: 'ViTForImageClassification of transformers: config, weights with adapters merged, preprocessing, model card.',
  },
  {
    value: 'peft',
    label: 'PEFT adapter',
    about: 'The base as a Hugging Face folder, and the LoRA adapters beside it, each module with its own rank and alpha.',
  },
  {
    value: 'timm',
    label: 'timm',
    about: 'For timm.create_model: weights with q, k and v stacked and adapters merged, config, model card.',
  },
  { value: 'onnx', label: 'ONNX', about: 'model.onnx (opset 17) for onnxruntime and others, adapters merged, with labels.' },
];

/** As a row of a list names it. */
export function formatName(format: ExportFormat): string {
  return FORMATS.find(({ value }) => value === format)?.label ?? format;
}
