/** What a switch does, in order: to come before it is made, past once it is. Pure. */
import type { RunConfig } from '../../../main/protocol/config.ts';
import type { RanksFile } from '../../../main/protocol/records.ts';
import type { StatusFile } from '../../../main/protocol/run.ts';
import { formatCount, formatParameters, formatPercent, formatSteps } from '../../format.ts';

export interface SwitchFacts {
  prelora: RunConfig['prelora'];
  ranks: Pick<RanksFile, 'modules' | 'adapterParameters' | 'trainableAfterFreeze' | 'share'>;
  status: Pick<StatusFile, 'switchStep' | 'freezeStep'>;
}

export function switchSteps(facts: SwitchFacts): string[] {
  const { ranks, prelora, status } = facts;
  const isMade = status.switchStep !== null;
  const [is, are, stays] = isMade ? ['was', 'were', 'stayed'] : ['is', 'are', 'stays'];
  const count = formatCount(ranks.modules.filter(({ rank }) => rank > 0).length);
  return [
    `A checkpoint ${is} written and pinned, so that the switch can be undone.`,
    `${count} adapters ${are} attached (${formatParameters(ranks.adapterParameters)} parameters); the function ${stays} the same to the last bit.`,
    prelora.optimizerAtSwitch === 'reset'
      ? `The optimizer ${is} reset.`
      : `The optimizer ${isMade ? 'kept' : 'keeps'} its moments by name.`,
    ...freezeSteps(facts),
  ];
}

/** A freeze may come earlier or later than planned: once it is made, the steps between are counted. */
function freezeSteps({ ranks, prelora, status: { switchStep, freezeStep } }: SwitchFacts): string[] {
  const isMade = switchStep !== null && freezeStep !== null;
  const joint = formatSteps(isMade ? freezeStep - switchStep : prelora.jointSteps);
  const trainable = `${formatParameters(ranks.trainableAfterFreeze)} ${isMade ? 'stayed' : 'stay'} trainable (${formatPercent(ranks.share)})`;
  return [
    `Joint warm-up for ${joint}: base and adapters ${isMade ? 'trained' : 'train'} together.`,
    `Freeze: ${trainable}; the LR ${isMade ? 'ramped' : 'ramps'} up over ${formatSteps(prelora.lrRampSteps)}.`,
  ];
}
