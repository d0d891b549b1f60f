/** The form and the schema: every field's value arrives in config.json, and what breaks a rule says at its field what the CLI says (F15, F16). */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { findChromium } from '../../build/scriptedPage.mjs';
import { sizeOf } from '../../main/core/parameterShapes.ts';
import { resolveConfig } from '../../main/core/resolveConfig.ts';
import type { FieldEntry } from '../../main/protocol/fieldTable.ts';
import { TORCH_METADATA, writeSafetensors } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { BREAKS, EXCLUSIVE, formFields, otherValues } from './support/formValues.ts';
import { realBrowser } from './support/realBrowser.ts';

const SECTIONS = { data: 'Data', model: 'Model', train: 'Recipe', prelora: 'PreLoRA', control: 'PreLoRA' } as Record<string, string>;
const sectionOf = ({ path: name }: FieldEntry): string => SECTIONS[name.split('.')[0] as string] ?? 'Run';

/** Three classes of gray pictures, 8 for training and 2 for validation each. */
async function pictureFolders(): Promise<[string, string]> {
  const root = temporaryFolder();
  for (const [split, count] of [
    ['train', 8],
    ['val', 2],
  ] as const) {
    for (const [shade, name] of ['dark', 'middle', 'light'].entries()) {
      const folder = path.join(root, split, name);
      mkdirSync(folder, { recursive: true });
      for (let i = 0; i < count; i++) {
        const data = Buffer.from(Array.from({ length: 256 }, (_, at) => 60 * shade + ((at * (i + 3)) % 50)));
        await sharp(data, { raw: { width: 16, height: 16, channels: 1 } })
          .png()
          .toFile(path.join(folder, `${i}.png`));
      }
    }
  }
  return [path.join(root, 'train'), path.join(root, 'val')];
}

/** Weights in the sizes that the form is given: random ones of that model under timm's names. */
async function startWeights(): Promise<string> {
  const [width, hidden, rows] = [16, 32, 3 * 16];
  const blocks = Array.from({ length: 3 }, (_, layer) => ({
    [`blocks.${layer}.norm1.weight`]: [width],
    [`blocks.${layer}.norm1.bias`]: [width],
    [`blocks.${layer}.norm2.weight`]: [width],
    [`blocks.${layer}.norm2.bias`]: [width],
    [`blocks.${layer}.attn.qkv.weight`]: [rows, width],
    [`blocks.${layer}.attn.proj.weight`]: [width, width],
    [`blocks.${layer}.attn.proj.bias`]: [width],
    [`blocks.${layer}.mlp.fc1.weight`]: [hidden, width],
    [`blocks.${layer}.mlp.fc1.bias`]: [hidden],
    [`blocks.${layer}.mlp.fc2.weight`]: [width, hidden],
    [`blocks.${layer}.mlp.fc2.bias`]: [width],
  }));
  const shapes: Record<string, number[]> = Object.assign(
    {
      cls_token: [1, 1, width],
      pos_embed: [1, 5, width],
      'patch_embed.proj.weight': [width, 1, 8, 8],
      'patch_embed.proj.bias': [width],
      'norm.weight': [width],
      'norm.bias': [width],
    },
    ...blocks,
  );
  const file = path.join(temporaryFolder(), 'start.safetensors');
  const valuesOf = (shape: number[]) => Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.05 * Math.sin(i));
  const tensors = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: valuesOf(shape) }]));
  await writeSafetensors(file, tensors, TORCH_METADATA);
  return file;
}

async function openForm(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'New run' }).click();
  await page.getByRole('radio', { name: 'All' }).check({ force: true });
}

/** Fills the fields of one part of the form after the other, as a user goes through it. */
async function fill(page: Page, texts: ReadonlyMap<string, string>): Promise<void> {
  const fields = formFields().filter(({ path: name }) => texts.has(name));
  for (const section of new Set(fields.map(sectionOf))) {
    await page.getByRole('navigation', { name: 'Parts of the form' }).getByRole('button', { name: section }).click();
    for (const field of fields.filter((one) => sectionOf(one) === section)) {
      const text = texts.get(field.path) as string;
      const control = page.locator(`[data-field="${field.path}"] :is(input, select)`);
      if (field.type === 'boolean') await control.setChecked(text === 'true');
      else if (field.type === 'choice' && !field.words) await control.selectOption(text);
      else await control.fill(text);
    }
  }
}

/** Message at each of these fields, once the engine has checked. */
async function messages(page: Page, names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const fields = formFields().filter(({ path: name }) => names.includes(name));
  for (const section of new Set(fields.map(sectionOf))) {
    await page.getByRole('navigation', { name: 'Parts of the form' }).getByRole('button', { name: section }).click();
    for (const { path: name } of fields.filter((one) => sectionOf(one) === section)) {
      const message = page.locator(`[data-field="${name}"] .message`);
      found.set(name, (await message.count()) > 0 ? await message.innerText() : '');
    }
  }
  return found;
}

/** What `prelora train --set field=text` says. */
function cliMessage(field: FieldEntry, text: string): string {
  try {
    resolveConfig({ set: [`${field.path}=${text}`] });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe.skipIf(!findChromium())('the form', () => {
  const browser = realBrowser();

  it.each(EXCLUSIVE)(
    'takes a value that is not the default into config.json, for every field (with %s)',
    { timeout: 120_000 },
    async (kept) => {
      const values = otherValues(...(await pictureFolders()), await startWeights());
      expect(
        formFields()
          .map(({ path: name }) => name)
          .filter((name) => !values[name]),
      ).toEqual([]);
      const left = EXCLUSIVE.filter((name) => name !== kept);
      const wanted = Object.entries(values).filter(([name]) => !left.some((one) => one === name));
      const page = await browser.open();
      await openForm(page);
      await fill(page, new Map(wanted.map(([name, { text }]) => [name, text])));
      await page.getByRole('button', { name: 'Start training' }).click();
      await page.waitForURL(/#\/run\//);
      const runId = decodeURIComponent(new URL(page.url()).hash.split('/')[2] as string);
      const config = JSON.parse(readFileSync(path.join(await browser.folderOf(runId), 'config.json'), 'utf8'));
      const arrived = wanted.map(([name]) => [name, name.split('.').reduce((at, key) => at[key], config)]);
      expect(Object.fromEntries(arrived)).toEqual(Object.fromEntries(wanted.map(([name, { value }]) => [name, value])));
      await browser.engine.request('run:stop', { runId, discard: true });
    },
  );

  it.each(Object.entries(BREAKS))(
    'shows at each field what the CLI says when a value is %s',
    { timeout: 120_000 },
    async (_kind, breakOf) => {
      const broken = formFields().flatMap((field) => {
        const text = breakOf(field);
        return text === null ? [] : [{ field, text }];
      });
      const page = await browser.open();
      await openForm(page);
      await fill(page, new Map(broken.map(({ field, text }) => [field.path, text])));
      const names = broken.map(({ field }) => field.path);
      await expect.poll(async () => [...(await messages(page, names)).values()].filter(Boolean).length).toBe(names.length);
      const shown = await messages(page, names);
      const said = new Map(broken.map(({ field, text }) => [field.path, cliMessage(field, text)]));
      expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(said));
      expect([...said.values()]).not.toContain('');
      await page.getByRole('button', { name: 'Start training' }).click({ force: true });
      expect(page.url()).toContain('#/new');
    },
  );

  it.each([
    ['train.microBatch', '7', /does not divide|must divide/],
    ['prelora.rMin', '64', /must be at most prelora.rMax 32/],
    ['prelora.snapshotEvery', '0', /must be at least 1 step/],
    ['prelora.targetModules', 'sideways', /sideways/],
    ['control.fixedEpoch', '100', /must be less than train.epochs 100/],
    ['prelora.rankOverrides', '{"blocks.99.attn.q": 4}', /blocks\.99/],
  ])('shows a broken rule between fields at %s as the CLI does', async (name, text, rule) => {
    const page = await browser.open();
    await openForm(page);
    await fill(page, new Map([[name, text]]));
    await page.getByText('1 problem', { exact: true }).waitFor();
    const field = formFields().find((one) => one.path === name) as FieldEntry;
    const said = cliMessage(field, text);
    expect(said).toMatch(rule);
    expect((await messages(page, [name])).get(name)).toBe(said);
  });
});
