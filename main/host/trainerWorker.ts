/** Entry of the trainer's thread or process: finds the port to the host and serves it. Everything else is in trainer.ts. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { exitAfterLastMessage, messagePort, type Port, processPort } from './port.ts';
import { serveTrainer } from './trainer.ts';

function portToHost(): Port {
  if (!isMainThread && parentPort) return messagePort(parentPort);
  // Ctrl+C reaches every process of the terminal; the host decides what it means and tells us.
  process.on('SIGINT', () => {});
  return processPort(process);
}

serveTrainer(portToHost(), () => exitAfterLastMessage(process));
