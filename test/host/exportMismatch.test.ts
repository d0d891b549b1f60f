/** An export whose files are not what was exported, as by a fault of ours in a writer: it is found, told, and never gets the name that was asked for. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { runCommand } from '../../main/cli/prelora.ts';
import type * as HfFolder from '../../main/exchange/hfFolder.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { trainTiny } from '../train/tinyTraining.ts';

/** Another epsilon, which logits alone would hardly show. */
vi.mock('../../main/exchange/hfFolder.ts', async (original) => {
  const real = await original<typeof HfFolder>();
  return {
    ...real,
    hfFolder(...given: Parameters<typeof real.hfFolder>) {
      const content = real.hfFolder(...given);
      const config = content.texts.get(real.HF_CONFIG)!.replace('"layer_norm_eps": 0.000001', '"layer_norm_eps": 1e-12');
      return { ...content, texts: new Map([...content.texts, [real.HF_CONFIG, config]]) };
    },
  };
});

it('ends with status 5, names the field, and keeps the folder as unverified', { timeout: 60_000 }, async () => {
  const [dir, out] = [path.join(temporaryFolder(), 'run'), path.join(temporaryFolder(), 'hf')];
  await trainTiny(dir, {});
  const said: string[] = [];
  const io = { stdout: { write: (text: string) => said.push(text) }, stderr: { write: (text: string) => said.push(text) } };
  const signal = new AbortController().signal;
  expect(await runCommand(['export', dir, '--to', 'hf', '--out', out, '--verify'], { ...io, signal })).toBe(5);
  const words = said.join('');
  expect(words).toContain('✓ V1');
  expect(words).toContain('✗ V3 sizes, labels, preprocessing, ranks: layer_norm_eps: is 1e-12, not 0.000001');
  expect(words).toContain('prelora: export-mismatch: V3: layer_norm_eps: is 1e-12, not 0.000001');
  expect(words).toContain(`the folder is kept as ${out}.unverified`);
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(path.dirname(out))).toEqual(['hf.unverified']);
});
