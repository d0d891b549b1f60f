/**
 * Exported folders as other programs see them: onnx's full check and onnxruntime's logits against those that transformers computed. Needs
 * Python with onnx and onnxruntime, at PRELORA_PEER_PYTHON or /opt/peer/bin/python.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type OnnxOptions, writeOnnx } from '../../main/exchange/onnxFile.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { expectClose, REWRITTEN } from '../support/tolerance.ts';
import { type Case, drawnPixels, FIXTURES, GOLDEN_LOGITS, modelOf, sourceOf } from './onnxModels.ts';

const PYTHON = process.env.PRELORA_PEER_PYTHON ?? '/opt/peer/bin/python';
const isThere = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import onnx, onnxruntime']).status === 0;

interface Answer {
  opset: number;
  ir: number;
  metadata: Record<string, unknown>;
  single: number[][];
  together: number[][];
}

const EXPORTS: [Case, OnnxOptions][] = [
  ['plain', {}],
  ['plain', { opset: 20 }],
  ['plain', { externalAbove: 0 }],
  ['plain', { opset: 20, externalAbove: 0 }],
  ['no qkv bias', {}],
  ['no qkv bias', { opset: 20 }],
  ['gray', {}],
  ['gray', { opset: 20, externalAbove: 0 }],
];

describe.skipIf(!isThere)(`onnx and onnxruntime of ${PYTHON}${isThere ? '' : ' (not there)'}`, () => {
  test('check every export without a warning and compute the logits of transformers, one image or four at a time', async () => {
    const root = temporaryFolder();
    const folders: string[] = [];
    for (const [name, options] of EXPORTS) {
      const folder = path.join(root, `${folders.length}`);
      mkdirSync(folder);
      const source = sourceOf(modelOf(name));
      await writeOnnx(folder, source, options);
      writeFileSync(path.join(folder, 'pixels.f32'), drawnPixels(source.model).data);
      folders.push(folder);
    }
    const { stdout, stderr, status } = spawnSync(PYTHON, [path.join(FIXTURES, 'peer.py'), ...folders], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stderr.split('\n').filter((line) => /initializer|model\.onnx/.test(line))).toEqual([]);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer);
    expect(answers).toHaveLength(EXPORTS.length);
    answers.forEach((answer, i) => {
      const [name, { opset = 17 }] = EXPORTS[i]!;
      expect([answer.opset, answer.ir]).toEqual(opset === 17 ? [17, 8] : [20, 9]);
      expect(answer.metadata).toEqual({
        'prelora.classes': ['a'],
        'prelora.preprocessing': { mean: [0.5], std: ['NaN'] },
        'prelora.run': { name: 'é' },
      });
      expectClose(answer.single.flat(), GOLDEN_LOGITS[name].flat(), REWRITTEN, `logits one by one of ${name}, opset ${opset}`);
      expectClose(answer.together.flat(), GOLDEN_LOGITS[name].flat(), REWRITTEN, `logits together of ${name}, opset ${opset}`);
    });
  });
});
