/** The step against PyTorch's numbers on the wasm backend. */
import { describeGoldenSteps } from './goldenSteps.ts';

describeGoldenSteps('wasm');
