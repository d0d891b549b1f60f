/**
 * Entry of the utility process in tests: the program's own, named in WORKBENCH_HOST_ENTRY, whose trainer thread ends in the middle of its work
 * on SIGUSR2. From outside a thread cannot be killed alone: SIGKILL takes its process along, which is another row of deaths.test.ts.
 */
const { syncBuiltinESMExports } = require('node:module');
const workerThreads = require('node:worker_threads');

const trainers = new Set();

workerThreads.Worker = class extends workerThreads.Worker {
  constructor(...args) {
    super(...args);
    trainers.add(this);
    this.once('exit', () => trainers.delete(this));
  }
};
syncBuiltinESMExports();
process.on('SIGUSR2', () => {
  for (const trainer of trainers) void trainer.terminate();
});

require(process.env.WORKBENCH_HOST_ENTRY);
