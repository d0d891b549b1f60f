/**
 * Bundled into one script and run before the page's own: puts a scripted engine behind `window.workbench`. The query of the address says
 * which scenario it plays and how late it answers.
 */
import type { WorkbenchBridge } from '../../../renderer/transport/electron.ts';
import { ScriptedEngine } from './engine.ts';
import { optionsOf, plansOf, type Scenario } from './plans.ts';

declare global {
  interface Window {
    scripted: ScriptedEngine;
  }
}

const query = new URLSearchParams(window.location.search);
const scenario = (query.get('scenario') ?? 'full') as Scenario;
const engine = new ScriptedEngine(plansOf(scenario), optionsOf(scenario));
engine.latencyMs = Number(query.get('latency') ?? 0);
window.scripted = engine;
window.workbench = engine.bridge satisfies WorkbenchBridge;
