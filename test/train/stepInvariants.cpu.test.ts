/** What must hold of single steps, on the cpu backend. */
import { describeStepInvariants } from './stepInvariants.ts';

describeStepInvariants('cpu');
