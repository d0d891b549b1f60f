/**
 * A process that installs from given sources and prints a line as each stage begins, so that a test can kill it at any of them.
 * Its argument is JSON: { root, sources, python, slow }; see fakeToolchain.mjs for `slow`.
 */
import { installEngine } from '../../../dist/main/engine/install.js';
import { fakeToolchain } from './fakeToolchain.mjs';

const { root, sources, python = null, slow } = JSON.parse(process.argv[2]);

let last = '';
const onProgress = ({ stage, done }) => {
  const line = done ? `${stage} begun` : stage;
  if (line !== last) console.log(line);
  last = line;
};
const engine = await installEngine({ variant: 'cpu', root, sources, python, onProgress, ...fakeToolchain(slow) });
console.log(`installed ${engine.folder}`);
