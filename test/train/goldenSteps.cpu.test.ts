/** The step against PyTorch's numbers on the cpu backend. */
import { describeGoldenSteps } from './goldenSteps.ts';

describeGoldenSteps('cpu');
