/**
 * The bridge: window.workbench = { request, on } and nothing else. Names of requests are checked by the shell, names of events here; frames
 * come through a MessagePort that is handed to the page once per load. Runs sandboxed; bundled to one CommonJS file.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { PUSH_NAMES, SHELL_PUSH_NAMES } from '../main/protocol/events.ts';

const EVENTS: ReadonlySet<string> = new Set([...PUSH_NAMES, ...SHELL_PUSH_NAMES]);

contextBridge.exposeInMainWorld('workbench', {
  request: (name: unknown, arg: unknown): Promise<unknown> => ipcRenderer.invoke('workbench:request', name, arg),
  on(event: string, listener: (payload: unknown) => void): () => void {
    if (!EVENTS.has(event)) throw new Error(`${event}: no such event`);
    const relay = (_event: unknown, message: { event: string; payload: unknown }): void => {
      if (message.event === event) listener(message.payload);
    };
    ipcRenderer.on('workbench:event', relay);
    return () => ipcRenderer.off('workbench:event', relay);
  },
});

/** Files that mean something by themselves: tar shards and parquet, which are data sets, and run bundles. */
const KNOWN_FILE = /\.(tar|tar\.gz|tgz|parquet|prelora\.zip)$/i;

// What is dropped on the window: only here its path can be learnt. What the page makes of another dropped file is its own affair.
window.addEventListener('dragover', (event) => {
  if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
});
window.addEventListener('drop', ({ dataTransfer }) => {
  const file = dataTransfer?.files[0];
  if (!file || !(dataTransfer?.items[0]?.webkitGetAsEntry()?.isDirectory || KNOWN_FILE.test(file.name))) return;
  const path = pathOf(file);
  if (path) ipcRenderer.emit('workbench:event', {}, { event: 'shell:dropped', payload: { path } });
});

/** Electron before 29, in which the tests run, has it on the file. */
function pathOf(file: File): string {
  return webUtils ? webUtils.getPathForFile(file) : (file as File & { path: string }).path;
}

ipcRenderer.on('workbench:frames', ({ ports }) => window.postMessage('workbench:frames', window.location.origin, [...ports]));
