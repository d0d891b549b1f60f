/** The step against PyTorch's numbers on the tensorflow backend. */
import { describeGoldenSteps } from './goldenSteps.ts';

describeGoldenSteps('tensorflow');
