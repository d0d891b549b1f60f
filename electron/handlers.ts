/** The shell's own operations: dialogs, and what only a desktop can show. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { dialog, Notification, type OpenDialogOptions, shell } from 'electron';
import { PreloraError } from '../main/protocol/reply.ts';
import type { HandlersOf, ResultOf, shellRequests } from '../main/protocol/requests.ts';
import type { EngineProcess } from './engineProcess.ts';
import type { Power } from './power.ts';
import type { Settings } from './settings.ts';
import type { MainWindow } from './window.ts';

/** Pages that the program's own texts link to. */
const LINKED_HOSTS: ReadonlySet<string> = new Set(['arxiv.org', 'github.com', 'huggingface.co', 'www.tensorflow.org']);

export interface ShellParts {
  window: MainWindow;
  engine: EngineProcess;
  settings: Settings;
}

/** What its operations need. */
export interface ServedParts extends ShellParts {
  power: Power;
}

export function shellHandlers({ window, engine, settings, power }: ServedParts): HandlersOf<typeof shellRequests> {
  return {
    'shell:chooseFolder': ({ title }) => choose(window, { title, properties: ['openDirectory'] }),
    'shell:chooseFile': ({ title, endings }) =>
      choose(window, { title, properties: ['openFile'], filters: [{ name: endings.join(', '), extensions: endings }] }),
    async 'shell:showFolder'({ runId }) {
      const reply = await engine.ask('runs:list', {});
      const runs = reply.ok ? (JSON.parse(reply.value) as ResultOf<'runs:list'>) : [];
      const run = runs.find((candidate) => candidate.runId === runId);
      if (!run) throw new PreloraError('not-found', `run ${runId}: no such run`, 'runId');
      // A run's folder is below the data root; the page only ever names its id.
      shell.showItemInFolder(run.dir);
    },
    async 'shell:showExport'({ folder }) {
      const report = path.join(folder, 'prelora.json');
      // The page may name any path: only what is an export is shown, and showing opens nothing.
      if (!path.isAbsolute(folder) || !existsSync(report)) throw new PreloraError('not-found', `${folder}: there is no export`, 'folder');
      shell.showItemInFolder(report);
    },
    'shell:preferences': async () => ({ preferences: settings.preferences, canNotify: Notification.isSupported() }),
    async 'shell:setPreferences'({ preferences }) {
      settings.update(preferences);
    },
    'shell:power': () => power.source(),
    async 'shell:openExternal'({ url }) {
      await shell.openExternal(checkedLink(url));
    },
  };
}

async function choose({ current }: MainWindow, options: OpenDialogOptions): Promise<{ path: string | null }> {
  const { filePaths } = await (current ? dialog.showOpenDialog(current, options) : dialog.showOpenDialog(options));
  return { path: filePaths[0] ?? null };
}

/** The address, when it is https and of a site we link to. Throws `bad-arguments`. */
export function checkedLink(url: string): string {
  const parsed = parseAddress(url);
  const isLinked = parsed?.protocol === 'https:' && LINKED_HOSTS.has(parsed.host) && parsed.username === '' && parsed.password === '';
  if (parsed && isLinked) return parsed.href;
  throw new PreloraError(
    'bad-arguments',
    `url ${url.slice(0, 100)}: only https links to ${[...LINKED_HOSTS].join(', ')} are opened`,
    'url',
  );
}

function parseAddress(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
