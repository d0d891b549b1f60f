/** Entry of a process that is the command itself, started by respawn.ts. */
import { main } from './prelora.ts';

process.exitCode = await main(process.argv.slice(2));
