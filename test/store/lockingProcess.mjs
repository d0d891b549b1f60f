/** The other process of lock.test.ts: on `lock` it locks the folder given as argument, on `release` it lets go. */
import { acquireLock } from '../../dist/main/store/lock.js';

const dir = process.argv[2];
let lock;

process.on('message', (request) => {
  if (request === 'release') {
    lock?.release();
    lock = undefined;
    process.send('released');
    return;
  }
  try {
    lock = acquireLock(dir);
    process.send('locked');
  } catch (error) {
    process.send(error.code);
  }
});
process.send('ready');
