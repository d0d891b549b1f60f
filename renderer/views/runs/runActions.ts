/** What can be done with one run from the table, as the entries of its menu. */
import { referenceWords } from '../../../main/protocol/dataReference.ts';
import type { RunSummary } from '../../../main/protocol/results.ts';
import type { MenuEntry } from '../../components/menuEntry.ts';
import type { Workbench } from '../../state/workbench.ts';

/** What the table does itself, because it opens a dialog. */
export interface RunDialogs {
  rename: (run: RunSummary) => void;
  tag: (run: RunSummary) => void;
  nameData: (run: RunSummary) => void;
}

/** Entries of the menu of a run; a separator is `null`. */
export function runActions(workbench: Workbench, run: RunSummary, dialogs: RunDialogs): (MenuEntry | null)[] {
  const { api, facts, navigation, notices, runs } = workbench;
  const { runId } = run;
  const canResume = ['interrupted', 'failed', 'paused', 'diverged'].includes(run.status.status);

  async function resume(): Promise<void> {
    if (await notices.attempt(() => api.request('run:resume', { runId }))) navigation.openRun(runId);
  }
  async function fork(): Promise<void> {
    await notices.attempt(async () => navigation.openRun((await api.request('run:fork', { runId })).runId));
  }
  const showFolder: MenuEntry = {
    label: 'Show in folder',
    run: () => void notices.attempt(() => api.request('shell:showFolder', { runId })),
  };

  const nameData: MenuEntry = { label: 'Name its data…', run: () => dialogs.nameData(run) };

  return [
    { label: 'Open', run: () => navigation.openRun(runId) },
    { label: 'Resume', ...(!canResume && { reason: `it is ${run.status.status}` }), run: () => void resume() },
    ...(referenceWords(run.config.data.source) === null ? [] : [nameData]),
    { label: 'New run like this', run: () => navigation.newRunLike(run.config) },
    { label: 'Fork from the last checkpoint', run: () => void fork() },
    { label: 'Export', run: () => navigation.openRun(runId, 'export') },
    { label: 'Compare with the selected', run: () => navigation.go({ screen: 'compare', runs: [...new Set([runId, ...runs.selected])] }) },
    ...(facts.facts?.host === 'desktop' ? [showFolder] : []),
    null,
    { label: 'Rename…', keys: 'F2', run: () => dialogs.rename(run) },
    { label: 'Tags and note…', run: () => dialogs.tag(run) },
    run.archived
      ? { label: 'Take out of the archive', run: () => void runs.annotate(runId, { archived: false }) }
      : { label: 'Archive', run: () => void runs.annotate(runId, { archived: true }) },
    { label: 'Move to trash', keys: 'Delete', danger: true, run: () => void runs.trash(runId) },
  ];
}
