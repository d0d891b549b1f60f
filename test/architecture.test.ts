/** Who may import whom: style.md section 3 as data, held against the imports as they are. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { cycles, type Import, importsInText, importsOf, reachable, sourceFiles } from './support/importGraph.ts';

interface Rule {
  /** A folder or file; the longest that fits a file is its rule. */
  of: string;
  /** Folders and files of ours that may be imported, besides the rule's own. */
  may: string[];
  /** Packages and Node modules, by name or beginning: `node:` is all of Node. */
  packages?: string[];
  /** Packages of which only types may be imported. */
  typesOf?: string[];
  /** What to tell somebody who breaks it. */
  because: string;
}

const TFJS = '@tensorflow/';
const LEARNING = ['main/model', 'main/lora', 'main/train', 'main/compile', 'main/data', 'main/store', 'main/engine', 'main/core'];

const RULES: Rule[] = [
  { of: 'main/protocol', may: [], packages: ['zod'], because: 'the contract imports the schema library and nothing else' },
  { of: 'main/core', may: ['main/protocol'], because: 'decisions are made on plain numbers: no tfjs, no files, no clock' },
  {
    of: 'main/engine',
    may: ['main/protocol'],
    packages: ['node:', TFJS],
    because: 'the engine folder chooses a backend and knows nothing of learning',
  },
  {
    of: 'main/compile',
    may: ['main/protocol', 'main/engine'],
    packages: ['node:', TFJS, 'protobufjs'],
    because: 'the compiler takes any tensor function; it knows nothing of ViTs',
  },
  {
    of: 'main/model',
    may: ['main/protocol', 'main/core', 'main/engine/tf.ts', 'main/engine/ownKernels.ts'],
    typesOf: [TFJS],
    because: 'the model is tensor functions: no files, no data, no training',
  },
  {
    of: 'main/lora',
    may: ['main/protocol', 'main/core', 'main/engine/tf.ts', 'main/engine/ownKernels.ts', 'main/model'],
    typesOf: [TFJS],
    because: 'adapters build on the model, and on nothing above it',
  },
  {
    of: 'main/data',
    // Beside the two: where unpacked images lie, whether a run reads them, how a file is written whole, and JSON that may be none.
    may: ['main/protocol', 'main/core', ...['paths', 'atomicFile', 'diskFault', 'json', 'lock'].map((name) => `main/store/${name}.ts`)],
    packages: ['node:', 'sharp', 'tar-stream', 'hyparquet'],
    typesOf: ['zod'],
    because: 'data hands arrays over; it knows no tensors',
  },
  {
    of: 'main/store',
    may: ['main/protocol', 'main/core'],
    packages: ['node:', 'yaml', 'yazl', 'yauzl'],
    because: 'files hold arrays; they know no tensors',
  },
  {
    of: 'main/exchange',
    // Beside them: how a protobuf message is written.
    may: ['main/protocol', 'main/core', 'main/store', 'main/compile/protobufMessage.ts'],
    packages: ['node:', 'protobufjs', 'onnxruntime'],
    because: "other people's names and orientations stay here",
  },
  {
    of: 'main/train',
    // Of the exchange: event files that follow a run while it trains.
    may: LEARNING.concat('main/protocol', 'main/exchange/liveEventLog.ts'),
    packages: ['node:'],
    typesOf: [TFJS],
    because: 'training knows neither host nor command line',
  },
  {
    of: 'main/host',
    may: [...LEARNING, 'main/protocol', 'main/exchange'],
    packages: ['node:', 'sharp', 'zod', 'fflate'],
    because: 'the host is started by shell, server and command line, not the other way',
  },
  {
    of: 'main/server',
    may: ['main/protocol', 'main/core', 'main/store', 'main/exchange', 'main/host'],
    packages: ['node:', 'ws'],
    because: 'browser mode serves what the host offers; it does no learning',
  },
  {
    of: 'main/cli',
    // Types of the training loop's events: what progress lines are made from.
    may: [
      'main/protocol',
      'main/core',
      'main/store',
      'main/exchange',
      'main/host',
      ...engineFilesOfTheCli(),
      'main/train/loop.ts',
      'main/train/recorder.ts',
    ],
    packages: ['node:', 'zod'],
    because: 'a command turns flags into a request; learning and tfjs are behind the host',
  },
  {
    of: 'main/cli/serve.ts',
    may: ['main/protocol', 'main/core', 'main/store', 'main/host', 'main/server', 'main/cli'],
    packages: ['node:'],
    because: 'serve is the one command that starts the server',
  },
  {
    of: 'electron',
    // Beside the wire: what it serves the page by, when it stops restarting, how it writes settings, the environment of its child, and
    // whether the system killed it for memory.
    may: [
      'main/protocol',
      ...['port', 'rpc', 'pageFiles', 'crashPolicy'].map((name) => `main/host/${name}.ts`),
      ...['paths', 'atomicFile'].map((name) => `main/store/${name}.ts`),
      ...['environment', 'installed', 'outOfMemory'].map((name) => `main/engine/${name}.ts`),
    ],
    packages: ['electron', 'node:', 'zod'],
    because: 'the shell has windows and processes, no learning',
  },
  {
    of: 'electron/hostEntry.ts',
    may: ['main/protocol', 'main/host', 'main/store/paths.ts', 'electron'],
    packages: ['electron', 'node:'],
    because: 'the utility process is the engine host, started by Electron',
  },
  {
    of: 'renderer',
    may: ['main/protocol'],
    packages: ['svelte', 'chart.js', 'chartjs-', 'bits-ui', '@lucide/svelte', 'fflate'],
    because: 'the page knows the protocol and nothing else outside',
  },
  {
    of: 'renderer/vite.config.ts',
    may: ['renderer', 'build'],
    packages: ['vite', '@sveltejs/', 'node:'],
    because: 'the build of the page runs in Node',
  },
];

/** The engine files that load no tfjs. */
function engineFilesOfTheCli(): string[] {
  return ['install', 'ensure', 'environment', 'installed', 'progressLines', 'paths'].map((name) => `main/engine/${name}.ts`);
}

const within = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`);

function ruleOf(file: string): Rule | undefined {
  return RULES.filter(({ of }) => within(file, of)).sort((a, b) => b.of.length - a.of.length)[0];
}

/** Null when the import is allowed, else the line to show. */
function offence(found: Import): string | null {
  const rule = ruleOf(found.from);
  const place = `${found.from}:${found.line} imports ${found.specifier}`;
  if (!rule) return `${place}: no rule covers this file; add its folder to the table`;
  const names = (list: string[] = []): boolean => list.some((name) => found.specifier === name || found.specifier.startsWith(name));
  const isAllowed = found.target
    ? within(found.target, rule.of) || rule.may.some((folder) => within(found.target ?? '', folder))
    : names(rule.packages) || (found.isType && names(rule.typesOf));
  return isAllowed ? null : `${place}: ${rule.because}`;
}

const files = sourceFiles('.', ['main', 'electron', 'renderer']);
const imports = files.flatMap((file) => importsOf('.', file));

test('every import is one that the table allows', () => {
  expect(imports.length).toBeGreaterThan(100);
  expect(imports.map(offence).filter(Boolean)).toEqual([]);
});

test('every import of ours names a file that is there, with its ending', () => {
  const missing = imports.filter(({ target }) => target?.endsWith('.ts') && !files.includes(target) && !target.endsWith('.d.ts'));
  expect(missing.map(({ from, line, specifier }) => `${from}:${line} imports ${specifier}`)).toEqual([]);
});

test('no file imports itself over others', () => {
  expect(cycles(imports).map((cycle) => cycle.join(' → '))).toEqual([]);
});

test('nothing that electron/app.ts loads loads tfjs', () => {
  const loaded = reachable(imports, 'electron/app.ts').filter(({ specifier }) => specifier.startsWith(TFJS));
  expect(loaded.map(({ trail, specifier }) => [...trail, specifier].join(' → '))).toEqual([]);
});

test('nothing that the engine installer loads loads tfjs', () => {
  const loaded = reachable(imports, 'main/engine/ensure.ts').filter(({ specifier }) => specifier.startsWith(TFJS));
  expect(loaded.map(({ trail, specifier }) => [...trail, specifier].join(' → '))).toEqual([]);
});

test('main/core asks no clock and no chance but its own', () => {
  const forbidden = /^(Date|performance|process|setTimeout|setInterval)$/;
  const uses = files
    .filter((file) => within(file, 'main/core'))
    .flatMap((file) =>
      identifiersIn(file)
        .filter((name) => forbidden.test(name) || name === 'Math.random')
        .map((name) => `${file}: ${name}`),
    );
  expect(uses).toEqual([]);
});

function identifiersIn(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') names.push('Math.random');
    const isProperty =
      node.parent && (ts.isPropertyAccessExpression(node.parent) || ts.isPropertyAssignment(node.parent)) && node.parent.name === node;
    if (ts.isIdentifier(node) && !isProperty) names.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

describe('the table is not blind', () => {
  const inModel = (text: string): (string | null)[] => importsInText('.', 'main/model/vit.ts', text).map(offence);

  test.each([
    ["import { readFileSync } from 'node:fs';", true],
    ["import { tf } from '../engine/tf.ts';", false],
    ["import { chooseBackend } from '../engine/choose.ts';", true],
    ["import type { Tensor } from '@tensorflow/tfjs-core';", false],
    ["import { Tensor } from '@tensorflow/tfjs-core';", true],
    ["const tf = require('@tensorflow/tfjs-core') as typeof import('@tensorflow/tfjs-core');", true],
    ["type T = import('@tensorflow/tfjs-core').Tensor;", false],
    ["const { loop } = await import('../train/loop.ts');", true],
    ["export { adamw } from '../train/adamw.ts';", true],
  ])('%s in main/model: offends %s', (text, offends) => {
    expect(inModel(text).some(Boolean)).toBe(offends);
  });

  test('a cycle is found, one of types alone is none', () => {
    const edge = (from: string, target: string, isType = false): Import => ({ from, target, isType, line: 1, specifier: target });
    expect(cycles([edge('a', 'b'), edge('b', 'c'), edge('c', 'a')])).toEqual([['a', 'b', 'c', 'a']]);
    expect(cycles([edge('a', 'b'), edge('b', 'a', true)])).toEqual([]);
  });
});
