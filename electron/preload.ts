/**
 * The bridge: window.workbench = { request, on } and nothing else. Names of requests are checked by the shell, names of events here; frames
 * come through a MessagePort that is handed to the page once per load. Runs sandboxed; bundled to one CommonJS file.
 */
import { contextBridge, ipcRenderer } from 'electron';

const EVENTS: ReadonlySet<string> = new Set([
  'run:frame',
  'switch:proposed',
  'runs:changed',
  'trainer:exited',
  'task:progress',
  'menu:command',
]);

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

ipcRenderer.on('workbench:frames', ({ ports }) => window.postMessage('workbench:frames', window.location.origin, [...ports]));
