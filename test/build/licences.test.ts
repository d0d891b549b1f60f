/** The list of licences that the app shows: complete, and free of surprises. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { listLicences, packagesOfModules, runtimePackages } from '../../build/licences.mjs';
import { root } from '../../build/transpile.mjs';

/** Licences under which a program of ours may be given away together with theirs. LGPL: sharp's libvips is a library of its own, replaceable. */
const ALLOWED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  'LGPL-3.0-or-later',
  'Python-2.0',
]);

describe('the licences', () => {
  const listed = listLicences(runtimePackages());

  it('name every package that package.json depends on, with its version', () => {
    const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    for (const [name, version] of Object.entries(dependencies)) {
      expect(
        listed.filter((entry) => entry.name === name).map((entry) => entry.version),
        name,
      ).toContain(version);
    }
  });

  it('are all of kinds that may be given away with the program', () => {
    const strange = listed.filter(({ licence }) => !licence.split(/ AND | OR |[()]/).every((one) => one === '' || ALLOWED.has(one)));
    expect(strange.map(({ name, licence }) => `${name}: ${licence}`)).toEqual([]);
  });

  it('are read off the text where the manifest forgets them', () => {
    expect(listLicences(['node_modules/svelte-toolbelt']).at(-1)).toMatchObject({ name: 'svelte-toolbelt', licence: 'MIT' });
  });

  it('come with their texts, the program’s own and the sample’s first', () => {
    expect(listed[0]).toMatchObject({
      name: 'PreLoRA Workbench',
      licence: 'MIT',
      text: expect.stringContaining('Permission is hereby granted'),
    });
    expect(listed.find(({ name }) => name.startsWith('Fashion-MNIST'))?.text).toContain('Zalando');
    expect(listed.find(({ name }) => name === 'zod')?.text).toContain('Permission is hereby granted');
    expect(listed.filter(({ text }) => text !== '').length / listed.length).toBeGreaterThan(0.8);
  });

  it('include what is bundled into the page: the package of every module, nested ones too', () => {
    const modules = [
      '/a/node_modules/svelte/src/index.js',
      '/a/node_modules/@lucide/svelte/dist/x.svelte',
      '/a/node_modules/bits-ui/node_modules/runed/dist/index.js',
      '/a/renderer/main.ts',
      '\0virtual',
    ];
    expect(packagesOfModules(modules)).toEqual([
      'node_modules/svelte',
      'node_modules/@lucide/svelte',
      'node_modules/bits-ui/node_modules/runed',
    ]);
  });
});
