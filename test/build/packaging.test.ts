/** The configuration of the packages, held against electron-builder's schema, the dependencies and the sources. Nothing is packed here. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { config } from '../../build/packaging/config.mjs';
import { root, sourcesBelow } from '../../build/transpile.mjs';

const tools = path.join(root, 'build', 'packaging');
const hasTools = existsSync(path.join(tools, 'node_modules', 'app-builder-lib'));
const leftOut = config.files.filter((pattern) => pattern.startsWith('!node_modules/'));

describe('the packaging configuration', () => {
  it.skipIf(!hasTools)('fits electron-builder’s own schema (skipped until `npm ci` in build/packaging)', async () => {
    const require = createRequire(path.join(tools, 'package.json'));
    const { validateConfiguration } = require('app-builder-lib/out/util/config/config');
    const quiet = { isEnabled: false, add() {} };
    await validateConfiguration(structuredClone(config), quiet);
    await expect(validateConfiguration({ ...config, electronFuses: { runAsnode: false } }, quiet)).rejects.toThrow(/electronFuses/);
  });

  it('names files and folders that are there', () => {
    const named = [...config.extraResources.map(({ from }) => from), 'resources/icons/icon.png', 'resources/icons/tray.png'];
    for (const file of named) expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  it('leaves no package out that the program imports', () => {
    const gone = leftOut.flatMap((pattern) => /^!node_modules\/((?:@[\w-]+\/)?[\w-]+)$/.exec(pattern)?.[1] ?? []);
    expect(gone).toContain('esbuild');
    const imports = [...sourcesBelow('main'), ...sourcesBelow('electron')].flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:from |require\(|import\()'([^'.][^']*)'/g)].map(([, name]) => name ?? ''),
    );
    expect(imports).toContain('sharp');
    for (const name of gone)
      expect(
        imports.filter((used) => used === name || used.startsWith(`${name}/`)),
        name,
      ).toEqual([]);
  });

  it('keeps of each tfjs package the file that Node loads', () => {
    for (const name of ['tfjs', 'tfjs-core', 'tfjs-converter', 'tfjs-data', 'tfjs-layers', 'tfjs-backend-cpu', 'tfjs-backend-wasm']) {
      const manifest = JSON.parse(readFileSync(path.join(root, 'node_modules', '@tensorflow', name, 'package.json'), 'utf8'));
      expect(manifest.main, name).toMatch(/^\.?\/?dist\/[\w-]+\.node\.js$/);
      expect(leftOut.filter((pattern) => pattern.startsWith(`!node_modules/@tensorflow/${name}/`)).join(), name).toContain('*.node.js');
    }
  });

  it('switches off what a packaged program does not need of Node and of file://', () => {
    expect(config.electronFuses).toEqual({
      runAsNode: false,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableCookieEncryption: true,
      onlyLoadAppFromAsar: true,
      enableEmbeddedAsarIntegrityValidation: true,
      grantFileProtocolExtraPrivileges: false,
    });
  });

  it('packs the Electron that package.json names, exactly', () => {
    const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    expect(devDependencies.electron).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
