/** Says a lot at once and ends, as a trainer does: `fork`ed by test/host/childPort.test.ts. */
import { exitAfterLastMessage, processPort } from '../../dist/main/host/port.js';

const port = processPort(process);
for (let number = 1; number <= 300; number++) port.post({ number, ballast: 'x'.repeat(10_000) });
exitAfterLastMessage(process);
