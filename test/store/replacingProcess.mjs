/** The process that atomicFile.test.ts kills: it replaces a file by 200,000 equal letters, the next letter each time. */
import { writeFileAtomically } from '../../dist/main/store/atomicFile.js';

const file = process.argv[2];
for (let round = 0; ; round++) {
  await writeFileAtomically(file, String.fromCharCode(97 + (round % 26)).repeat(200_000));
  process.send(round);
}
