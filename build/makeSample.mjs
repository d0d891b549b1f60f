/**
 * Makes resources/sample-fashion-mnist from Debian's package dataset-fashion-mnist: of each class the first 1,200 training and the
 * first 200 test images, in file order, as the four IDX files. Running it again gives the same bytes.
 *   apt-get install dataset-fashion-mnist && node build/makeSample.mjs
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const source = process.argv[2] ?? '/usr/share/datasets/fashion-mnist';
const target = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'resources', 'sample-fashion-mnist');
const PIXELS = 28 * 28;

function readIdx(name) {
  return gunzipSync(readFileSync(path.join(source, name)));
}

function writeGz(name, header, body) {
  const packed = gzipSync(Buffer.concat([header, body]), { level: 9 });
  packed[9] = 255; // "operating system unknown": the one byte of the header that differs between machines
  writeFileSync(path.join(target, name), packed);
  console.log(`${name}: ${packed.length} bytes`);
}

/** Big-endian 32-bit words. */
function words(...values) {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
}

function makeSplit(split, perClass) {
  const images = readIdx(`${split}-images-idx3-ubyte.gz`).subarray(16);
  const labels = readIdx(`${split}-labels-idx1-ubyte.gz`).subarray(8);
  const taken = new Array(10).fill(0);
  const chosen = [];
  labels.forEach((label, i) => {
    if (taken[label]++ < perClass) chosen.push(i);
  });
  const pixels = Buffer.concat(chosen.map((i) => images.subarray(i * PIXELS, (i + 1) * PIXELS)));
  writeGz(`${split}-images-idx3-ubyte.gz`, words(0x803, chosen.length, 28, 28), pixels);
  writeGz(`${split}-labels-idx1-ubyte.gz`, words(0x801, chosen.length), Buffer.from(chosen.map((i) => labels[i])));
}

mkdirSync(target, { recursive: true });
makeSplit('train', 1200);
makeSplit('t10k', 200);
const names = ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];
writeFileSync(path.join(target, 'labels.txt'), `${names.join('\n')}\n`);
