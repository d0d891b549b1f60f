import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export interface OpenOptions extends BrowserContextOptions {
  url: string;
  engine: string;
  route?: string;
  theme?: 'system' | 'light' | 'dark' | 'contrast';
  width?: number;
  height?: number;
  scenario?: Scenario;
  latency?: number;
}
type Scenario = 'full' | 'desktop' | 'gpu' | 'empty' | 'broken' | 'large' | 'many' | 'deep' | 'long' | 'odd' | 'torn';
export interface OpenPage {
  page: Page;
  /** Errors of the console, and uncaught ones. */
  complaints: string[];
  close(): Promise<void>;
}
export function buildPage(): Promise<void>;
export function bundleEngine(): Promise<string>;
export function servePage(): Promise<{ url: string; close(): void }>;
export function findChromium(): string | null;
export function launch(): Promise<Browser>;
export function sceneUrl(url: string, scene: { route?: string; scenario?: Scenario; latency?: number }): string;
export function openPage(browser: Browser, options: OpenOptions): Promise<OpenPage>;
