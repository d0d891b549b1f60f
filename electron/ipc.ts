/**
 * The door between page and shell: one channel for requests. Who asks is checked, then the name, then the argument; every answer is a reply
 * as data. Requests of the shell are answered here, all others go to the engine host.
 */
import { type IpcMainInvokeEvent, ipcMain } from 'electron';
import { answer, failed } from '../main/host/rpc.ts';
import { PreloraError, type Reply } from '../main/protocol/reply.ts';
import { engineRequests, type HandlersOf, shellRequests } from '../main/protocol/requests.ts';
import type { EngineProcess } from './engineProcess.ts';
import { PAGE_ORIGIN } from './scheme.ts';
import type { MainWindow } from './window.ts';

export function serveIpc(window: MainWindow, engine: EngineProcess, handlers: HandlersOf<typeof shellRequests>): void {
  ipcMain.handle('workbench:request', (event, name: unknown, arg: unknown): Promise<Reply<unknown> | TextReply> => {
    if (!isOurPage(event, window)) return refused('this page may not ask the shell');
    if (typeof name !== 'string') return refused('the name of a request is text');
    if (Object.hasOwn(shellRequests, name)) {
      return answer(shellRequests, handlers, { name, arg }, (where, error) => console.error(`shell: ${where}:`, error));
    }
    if (Object.hasOwn(engineRequests, name)) return engine.ask(name, arg).then(asText);
    return refused(`${name.slice(0, 60)}: no such request`);
  });
  engine.listen({ push: (event, payload) => window.send(event, payload), presence() {} });
  window.onPageLoaded((page) => engine.joinPage(page));
}

/** The top frame of our own window, showing our own origin. */
export function isOurPage({ sender, senderFrame }: IpcMainInvokeEvent, { current }: Pick<MainWindow, 'current'>): boolean {
  if (!current || sender !== current.webContents || !senderFrame || senderFrame !== sender.mainFrame) return false;
  return senderFrame.url === PAGE_ORIGIN || senderFrame.url.startsWith(`${PAGE_ORIGIN}/`);
}

/** The page unpacks it (renderer/transport/electron.ts): on the way through the bridge a text costs a hundredth of its objects. */
type TextReply = { ok: true; text: string | undefined };

function asText(reply: Reply<string>): Reply<never> | TextReply {
  return reply.ok ? { ok: true, text: reply.value } : reply;
}

function refused(message: string): Promise<Reply<never>> {
  return Promise.resolve(failed(new PreloraError('bad-arguments', message)));
}
