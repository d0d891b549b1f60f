/** Every request of the page with its handler, put together from one file per subject. A missing or a wrong one does not compile. */
import type { engineRequests, HandlersOf } from '../protocol/requests.ts';
import { appHandlers } from './appHandlers.ts';
import { bundleHandlers } from './bundleHandlers.ts';
import { computeHandlers } from './computeHandlers.ts';
import { configHandlers } from './configHandlers.ts';
import { controlHandlers } from './controlHandlers.ts';
import { dataHandlers } from './dataHandlers.ts';
import { exportHandlers } from './exportHandlers.ts';
import { queueHandlers } from './queueHandlers.ts';
import { runsHandlers } from './runsHandlers.ts';
import { scoreHandlers } from './scoreHandlers.ts';
import type { Session } from './session.ts';
import { storageHandlers } from './storageHandlers.ts';
import { switchHandlers } from './switchHandlers.ts';
import { trashHandlers } from './trashHandlers.ts';
import { weightHandlers } from './weightHandlers.ts';

export type EngineHandlers = HandlersOf<typeof engineRequests>;

export function engineHandlers(session: Session): EngineHandlers {
  const { host } = session;
  return {
    ...appHandlers(host),
    ...computeHandlers(host),
    ...runsHandlers(session),
    ...configHandlers(host),
    ...dataHandlers(),
    ...controlHandlers(host),
    ...exportHandlers(host),
    ...queueHandlers(host),
    ...switchHandlers(host),
    ...storageHandlers(host),
    ...trashHandlers(host),
    ...bundleHandlers(host),
    ...weightHandlers(host),
    ...scoreHandlers(host),
  } satisfies EngineHandlers;
}
