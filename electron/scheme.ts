/**
 * The page's own origin, app://workbench: files of the built page and nothing else. A standard, secure scheme, so that origin, CSP and
 * storage work as on the web; file:// would give the page the whole disk (Electron's security checklist, items 7 and 18).
 */
import path from 'node:path';
import { app, protocol } from 'electron';
import { PAGE_HEADERS, readPageFile } from '../main/host/pageFiles.ts';

const SCHEME = 'app';
export const PAGE_ORIGIN = `${SCHEME}://workbench`;

/** Must run before the app is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } }]);
}

export function serveScheme(): void {
  const root = path.join(app.getAppPath(), 'dist', 'renderer');
  protocol.handle(SCHEME, async (request) => {
    const { host, pathname } = new URL(request.url);
    const file = host === 'workbench' && request.method === 'GET' ? await readPageFile(root, pathname) : null;
    if (!file) return new Response('not found', { status: 404, headers: PAGE_HEADERS });
    return new Response(new Uint8Array(file.content), { headers: { ...PAGE_HEADERS, 'Content-Type': file.type } });
  });
}
