/** The shell behind the scripted page: its preferences, the machine's power; dialogs and folders are not opened. */
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { HandlersOf, shellRequests } from '../../../main/protocol/requests.ts';
import { ShellPreferences } from '../../../main/protocol/shellPreferences.ts';

export class ScriptedShell {
  #preferences = ShellPreferences.parse({ quitWithRun: 'keep' });
  /** Set by a test: the shell's file cannot be written. */
  refuses = false;
  onBattery = false;

  readonly handlers = {
    'shell:chooseFolder': async () => ({ path: null }),
    'shell:chooseFile': async () => ({ path: null }),
    'shell:showFolder': async () => {},
    'shell:showExport': async () => {},
    'shell:openExternal': async () => {},
    'shell:power': async () => ({ onBattery: this.onBattery }),
    'shell:preferences': async () => ({ preferences: this.#preferences, canNotify: true }),
    'shell:setPreferences': async ({ preferences }) => {
      if (this.refuses) throw new PreloraError('not-writable', 'settings.json: cannot be written (EACCES)');
      this.#preferences = preferences;
    },
  } satisfies HandlersOf<typeof shellRequests>;
}
