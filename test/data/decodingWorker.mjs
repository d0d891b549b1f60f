/** A thread that begins to decode, as a data worker does: loads the decoder, decodes one image, ends. Started by decode.test.ts. */
import { workerData } from 'node:worker_threads';
import { decodeImage } from '../../dist/main/data/decode.js';

await decodeImage(workerData, { channels: 3, convertUnusual: false });
