/** The battery warning: once per stay on battery, and only where somebody tells. */
import { describe, expect, it } from 'vitest';
import { PreloraError } from '../../main/protocol/reply.ts';
import { Power } from '../../renderer/state/power.svelte.ts';
import { fakeApi } from './fakeApi.ts';

describe('the battery warning', () => {
  it('comes with the battery, goes for good once it is read, and comes again with the next stay on battery', async () => {
    const api = fakeApi({ 'shell:power': () => ({ onBattery: true }) });
    const power = new Power(api);
    const end = power.start();
    await power.load();
    expect(power.isWarning).toBe(true);
    power.dismiss();
    api.push('power:changed', { onBattery: true });
    expect([power.isWarning, power.onBattery]).toEqual([false, true]);
    api.push('power:changed', { onBattery: false });
    expect([power.isWarning, power.onBattery]).toEqual([false, false]);
    api.push('power:changed', { onBattery: true });
    expect(power.isWarning).toBe(true);
    end();
    expect(api.listeners).toBe(0);
  });

  it('never comes in browser mode, which refuses the question', async () => {
    const api = fakeApi({
      'shell:power': () => {
        throw new PreloraError('bad-arguments', 'shell:power: no such request');
      },
    });
    const power = new Power(api);
    await power.load();
    expect(power.isWarning).toBe(false);
  });
});
