/** What must hold of single steps, on the wasm backend. */
import { describeStepInvariants } from './stepInvariants.ts';

describeStepInvariants('wasm');
