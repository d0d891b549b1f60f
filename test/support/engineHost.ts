/** An engine host over a data root of its own, a page connected to it, and a run small enough to finish while a test waits. */
import path from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { EngineHost, type EngineHostOptions } from '../../main/host/engineHost.ts';
import { launchTrainerProcess, type TrainerLauncher } from '../../main/host/launchTrainer.ts';
import { portPair } from '../../main/host/port.ts';
import { createClient, type RpcClient } from '../../main/host/rpc.ts';
import { serveSession } from '../../main/host/session.ts';
import type { PushEvents, RunFrame } from '../../main/protocol/events.ts';
import type { engineRequests } from '../../main/protocol/requests.ts';
import { temporaryFolder } from './temporaryFolder.ts';

export type PageClient = RpcClient<typeof engineRequests, PushEvents>;

/** Data root in a temporary folder with a space and a letter outside ASCII, or that of another host; stopped and removed after the test. */
export function startHost(
  launch: TrainerLauncher = launchTrainerProcess,
  more: Partial<EngineHostOptions> = {},
  dataRoot = path.join(temporaryFolder(), 'data'),
): EngineHost {
  vi.stubEnv('PRELORA_DATA_DIR', dataRoot);
  const host = new EngineHost({ kind: 'browser', launch, log: () => {}, ...more });
  onTestFinished(async () => {
    await host.close();
    vi.unstubAllEnvs();
  });
  return host;
}

/** A page connected to the host by an in-memory port. */
export function connectPage(host: EngineHost): PageClient {
  const [near, far] = portPair();
  serveSession(host, far);
  return createClient<typeof engineRequests, PushEvents>(near);
}

/** Subscribes to a run as the page does; acknowledges every frame. */
export async function watchRun(page: PageClient, runId: string) {
  const frames: RunFrame[] = [];
  page.on('run:frame', (frame) => {
    frames.push(frame);
    page.request('frames:ack', { runId, sequence: frame.sequence }).catch(() => {}); // a page that closes waits for no reply
  });
  const state = await page.request('run:state', { runId });
  const until = (condition: (frame: RunFrame) => boolean): Promise<RunFrame> =>
    vi.waitUntil(() => frames.find(condition), { timeout: 30_000, interval: 20 });
  return { state, frames, until };
}
