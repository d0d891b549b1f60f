/** What must hold of single steps, on the tensorflow backend. */
import { describeStepInvariants } from './stepInvariants.ts';

describeStepInvariants('tensorflow');
