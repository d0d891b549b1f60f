/** One browser for a test file: opens the built page on a scripted engine, and closes what a test opened unless it is to be kept. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { bundleEngine, launch, type OpenOptions, openPage, sceneUrl, servePage } from '../../../build/scriptedPage.mjs';
import type { ScriptedEngine } from '../scripted/engine.ts';

declare global {
  interface Window {
    scripted: ScriptedEngine;
  }
}

export interface ScriptedBrowser {
  open(options?: Partial<OpenOptions>): Promise<{ page: Page; complaints: string[] }>;
  /** Loads another scene in an open page, with an engine that starts anew. */
  go(page: Page, scene: Parameters<typeof sceneUrl>[1]): Promise<void>;
}

export function scriptedBrowser({ keep = false } = {}): ScriptedBrowser {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof servePage>>;
  let engine: string;
  const opened: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    [browser, server, engine] = await Promise.all([launch(), servePage(), bundleEngine()]);
  });
  afterEach(async () => {
    if (!keep) for (const close of opened.splice(0)) await close();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });
  return {
    async open(options = {}) {
      const { page, complaints, close } = await openPage(browser, { url: server.url, engine, ...options });
      opened.push(close);
      return { page, complaints };
    },
    async go(page, scene) {
      await page.goto(sceneUrl(server.url, scene));
      await page.waitForSelector('.sidebar');
    },
  };
}

/** Requests of one name that reached the engine. */
export function asked(page: Page, name: string): Promise<unknown[]> {
  return page.evaluate((wanted) => window.scripted.asked.filter((request) => request.name === wanted).map(({ arg }) => arg), name);
}
