/**
 * The run on screen: catches up by `run:state`, goes on by frames, and steers. Records live in plain columns (records.ts); `version`
 * rises with every change of them, and whoever draws reads it. The run itself lives in the engine: closing this loses nothing.
 */
import type { RunFrame } from '../../main/protocol/events.ts';
import type { PhaseSummary, ReplayResult, RunState, RunSummary } from '../../main/protocol/results.ts';
import type { StatusFile } from '../../main/protocol/run.ts';
import { type Api, errorText } from '../api.ts';
import type { PhaseSpan } from '../charts/model.ts';
import { PHASE_NAMES } from '../phases.ts';
import { FrameAnswers } from './frameAnswers.ts';
import type { Notices } from './notices.svelte.ts';
import { PlotState } from './plots.svelte.ts';
import { openProposal, type Proposal, proposalAfter } from './proposal.ts';
import { RunRecords } from './records.ts';
import { valueAt } from './tree.ts';
import { readWholeRun } from './wholeRun.ts';

const ETA_EVERY_MS = 2000;
const DRAW_EVERY_MS = 200;
/** Verdicts may take a fifth of the time: the engine reads all snapshots for them, and its answer has a line for each. */
const JUDGE_REST = 4;
/** Checkpoints and sums per phase are not in frames; they are asked for with an epoch, but not more often than this. */
const FACTS_EVERY_MS = 60_000;

export type Thresholds = { tau: number | null; zeta: number | null };

export class ActiveRun {
  readonly runId: string;
  readonly records = new RunRecords();
  readonly plots = new PlotState();
  #loading = $state<'busy' | 'full' | 'broken'>('busy');
  #problem = $state('');
  #state = $state.raw<RunState | null>(null);
  #status = $state.raw<StatusFile | null>(null);
  #drawn = $state.raw<StatusFile | null>(null);
  #version = $state(0);
  #isClosed = false;
  #activity = $state('');
  #etaSeconds = $state<number | null>(null);
  #live = $state(false);
  #pending = $state<string | null>(null);
  #proposal = $state.raw<Proposal | null>(null);
  #exit = $state.raw<{ reason: string; resumable: boolean } | null>(null);
  #replay = $state.raw<ReplayResult | null>(null);
  #draftReplay = $state.raw<ReplayResult | null>(null);
  #draft = $state.raw<Thresholds>({ tau: null, zeta: null });
  #drawingPaused = $state(false);
  #sequence = 0;
  #askedAt = 0;
  #etaShownAt = 0;
  #drawnAt = 0;
  #redrawTimer: ReturnType<typeof setTimeout> | null = null;
  #judged = -1;
  #judging = false;
  #judgeAgainAt = Number.NEGATIVE_INFINITY;
  #judgeTimer: ReturnType<typeof setTimeout> | null = null;
  /** Frames that came while `run:state` was on its way: they may be newer than its answer. */
  #early: RunFrame[] | null = null;
  #askingState: Promise<void> | null = null;
  readonly #answers = new FrameAnswers((sequence) => void this.#api.request('frames:ack', { runId: this.runId, sequence }).catch(() => {}));
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(runId: string, api: Api, notices: Notices) {
    this.runId = runId;
    this.#api = api;
    this.#notices = notices;
  }

  /** Subscribes and catches up. Gives back an unsubscribe. */
  start(): () => void {
    const ends = [
      this.#api.on('run:frame', (frame) => frame.runId === this.runId && this.#take(frame)),
      this.#api.on('switch:proposed', (proposal) => proposal.runId === this.runId && this.#propose(proposal)),
      this.#api.on('trainer:exited', (exit) => exit.runId === this.runId && this.#exited(exit)),
      // Begun, ended or renamed, by whomever.
      this.#api.on('runs:changed', ({ runIds }) => runIds.includes(this.runId) && void this.catchUp()),
    ];
    let wasLost = false;
    ends.push(
      this.#api.onConnection((state) => {
        if (state === 'open' && wasLost) void this.catchUp();
        wasLost = state === 'lost';
      }),
    );
    this.#isClosed = false;
    void this.catchUp();
    return () => {
      this.#isClosed = true;
      for (const end of ends) end();
      clearTimeout(this.#redrawTimer ?? undefined);
      clearTimeout(this.#judgeTimer ?? undefined);
      this.#answers.flush();
      void this.#api.request('run:unsubscribe', { runId: this.runId }).catch(() => {});
    };
  }

  /** Asks for all records again: at the start, after a reconnect, after a gap. Concurrent calls share one request. */
  catchUp(): Promise<void> {
    this.#askingState ??= this.#ask();
    return this.#askingState;
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    this.#early = [];
    try {
      const whole = await readWholeRun(this.#api, this.runId, () => !this.#isClosed);
      if (whole === null) {
        this.#askingState = null;
        return;
      }
      const { state, snapshots } = whole;
      this.records.replace(state, snapshots);
      this.#proposal = openProposal(state.events);
      this.#state = state;
      this.#sequence = state.sequence;
      this.#live = state.live;
      this.#setStatus(state.summary.status);
      this.#loading = 'full';
      this.#draw();
      this.#askingState = null;
      this.#takeEarly();
      await this.#judge(true);
    } catch (error) {
      this.#problem = errorText(error);
      this.#loading = 'broken';
      this.#early = null;
      this.#askingState = null;
    }
  }

  /** What no frame tells, without the records, which frames do tell. */
  async #askFacts(): Promise<void> {
    this.#askedAt = performance.now();
    const facts = await this.#api.request('run:facts', { runId: this.runId }).catch(() => null);
    if (facts && this.#state) this.#state = { ...this.#state, ...facts };
  }

  #takeEarly(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const frame of early) this.#take(frame);
  }

  #take(frame: RunFrame): void {
    if (this.#early) {
      this.#early.push(frame);
      return;
    }
    if (this.#loading !== 'full' || frame.sequence <= this.#sequence) return;
    const isGap = frame.sequence !== this.#sequence + 1;
    this.#sequence = frame.sequence;
    this.#answers.took(frame.sequence);
    if (isGap || !this.records.append(frame)) {
      void this.catchUp();
      return;
    }
    const isNewPhase = frame.status.phase !== this.#status?.phase;
    this.#live = frame.live;
    this.#activity = frame.activity;
    this.#setEta(frame.etaSeconds);
    this.#setStatus(frame.status);
    this.#redraw();
    this.#proposal = proposalAfter(frame.events, this.#proposal);
    if (isNewPhase || frame.events.some(({ kind }) => ['switched', 'frozen', 'undone', 'edited'].includes(kind))) void this.catchUp();
    else if (frame.epochs.length > 0 && performance.now() - this.#askedAt > FACTS_EVERY_MS) void this.#askFacts();
    else if (frame.snapshots.length > 0 && frame.status.phase === 'full') this.#judgeSoon();
  }

  /** Time left changes every two seconds at most, so that it can be read. */
  #setEta(seconds: number | null): void {
    const now = performance.now();
    if (seconds !== null && this.#etaSeconds !== null && now - this.#etaShownAt < ETA_EVERY_MS) return;
    this.#etaSeconds = seconds;
    this.#etaShownAt = now;
  }

  /** Charts are built anew at most five times a second; the last change is never left out. */
  #redraw(): void {
    if (this.#drawingPaused || this.#redrawTimer !== null) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_EVERY_MS - performance.now());
    this.#redrawTimer = setTimeout(() => {
      this.#redrawTimer = null;
      this.#draw();
    }, wait);
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    this.#drawn = this.#status;
    this.#version++;
  }

  #setStatus(status: StatusFile): void {
    const before = this.#status;
    this.#status = status;
    if (before && before.phase !== status.phase)
      this.#notices.announce(`${status.name}: phase ${PHASE_NAMES[status.phase]} from step ${status.step}`);
    if (before && before.status !== status.status) {
      this.#notices.announce(`${status.name}: ${status.status}`);
      this.#pending = null;
      if (status.status === 'running') this.#exit = null;
    }
    if (status.phase !== 'full') this.#proposal = null;
  }

  #propose(proposal: Proposal): void {
    this.#proposal = proposal;
    this.#notices.announce(`Switch proposed at step ${proposal.step}`);
  }

  #exited(exit: { reason: string; resumable: boolean }): void {
    this.#exit = exit;
    this.#pending = null;
    this.#live = false;
    void this.catchUp();
  }

  /** After the switch there is nothing left to judge. */
  #judgeSoon(): void {
    this.#judgeTimer ??= setTimeout(
      () => {
        this.#judgeTimer = null;
        void this.#judge(false);
      },
      Math.max(0, this.#judgeAgainAt - performance.now()),
    );
  }

  /** The engine's verdicts over the recorded snapshots; asked again only when there is a new one, one question at a time. */
  async #judge(force: boolean): Promise<void> {
    const last = this.records.snapshots.at(-1)?.step ?? -1;
    if (this.#judging || (!force && last === this.#judged) || this.records.snapshots.length < 2) return;
    this.#judging = true;
    this.#judged = last;
    const started = performance.now();
    this.#replay = await this.#api.request('replay', { runId: this.runId, settings: {} }).catch(() => null);
    this.#judgeAgainAt = performance.now() + JUDGE_REST * (performance.now() - started);
    this.#judging = false;
    if (this.records.snapshots.at(-1)?.step !== last) this.#judgeSoon();
  }

  get loading(): 'busy' | 'full' | 'broken' {
    return this.#loading;
  }
  get problem(): string {
    return this.#problem;
  }
  get state(): RunState | null {
    return this.#state;
  }
  get summary(): RunSummary | null {
    return this.#state?.summary ?? null;
  }
  get status(): StatusFile | null {
    return this.#status;
  }
  /** The status as of the newest drawing: the charts keep still in between, whatever frames bring. */
  get drawnStatus(): StatusFile | null {
    return this.#drawn;
  }
  get version(): number {
    return this.#version;
  }
  get activity(): string {
    return this.#activity;
  }
  get etaSeconds(): number | null {
    return this.#etaSeconds;
  }
  get live(): boolean {
    return this.#live;
  }
  /** What a pressed control is waiting for, in words. */
  get pending(): string | null {
    return this.#pending;
  }
  get proposal(): Proposal | null {
    return this.#proposal;
  }
  /** Set after the trainer ended unexpectedly, until the run goes on. */
  get exit(): { reason: string; resumable: boolean } | null {
    return this.#exit;
  }
  get replay(): ReplayResult | null {
    return this.#replay;
  }
  get draftReplay(): ReplayResult | null {
    return this.#draftReplay;
  }
  get draft(): Thresholds {
    return this.#draft;
  }
  get drawingPaused(): boolean {
    return this.#drawingPaused;
  }

  /** Measured figures per phase; what the engine has not summed up yet for the phase in progress is read off the live records. */
  readonly phases = $derived.by((): PhaseSummary[] => {
    if (this.#version < 0) return [];
    return (this.#state?.phases ?? []).map((phase) => {
      if (phase.imagesPerSecond !== null && phase.peakMemoryBytes !== null) return phase;
      const measured = this.records.measuredFrom(phase.startStep, phase.endStep);
      return {
        ...phase,
        imagesPerSecond: phase.imagesPerSecond ?? measured.imagesPerSecond,
        peakMemoryBytes: phase.peakMemoryBytes ?? measured.peakMemoryBytes,
      };
    });
  });

  readonly canEditThresholds = $derived(this.#status?.phase === 'full' && this.#status.status !== 'finished');

  readonly phaseSpans = $derived.by((): PhaseSpan[] => {
    const status = this.#drawn;
    if (!status) return [];
    const { switchStep, freezeStep, totalSteps } = status;
    const spans: PhaseSpan[] = [{ phase: 'full', from: 0, to: switchStep ?? totalSteps }];
    if (switchStep !== null) spans.push({ phase: 'warmup', from: switchStep, to: freezeStep ?? totalSteps });
    if (freezeStep !== null) spans.push({ phase: 'lora', from: freezeStep, to: totalSteps });
    return spans;
  });

  /** Stops redrawing while somebody reads; records are kept meanwhile (WCAG 2.2.2). */
  toggleDrawing(): void {
    this.#drawingPaused = !this.#drawingPaused;
    this.#draw();
  }

  /** Tries another threshold on the recorded snapshots; nothing changes until `applyDraft`. */
  setDraft(change: Partial<Thresholds>): void {
    const config = this.summary?.config.prelora;
    const next = { ...this.#draft, ...change };
    if (next.tau === config?.tau) next.tau = null;
    if (next.zeta === config?.zeta) next.zeta = null;
    this.#draft = next;
    void this.#replayDraft(next);
  }

  async #replayDraft(draft: Thresholds): Promise<void> {
    if (draft.tau === null && draft.zeta === null) {
      this.#draftReplay = null;
      return;
    }
    const settings = { ...(draft.tau !== null && { tau: draft.tau }), ...(draft.zeta !== null && { zeta: draft.zeta }) };
    const result = await this.#api.request('replay', { runId: this.runId, settings }).catch(() => null);
    if (this.#draft === draft) this.#draftReplay = result;
  }

  async applyDraft(): Promise<void> {
    const { tau, zeta } = this.#draft;
    const changes: Record<string, unknown> = {};
    if (tau !== null) changes['prelora.tau'] = tau;
    if (zeta !== null) changes['prelora.zeta'] = zeta;
    if (await this.edit(changes)) this.setDraft({ tau: null, zeta: null });
  }

  /** A live edit; the toast offers the inverse edit. */
  async edit(changes: Record<string, unknown>, extension: 'continue' | 'recompute' | 'hold' = 'continue'): Promise<boolean> {
    const config = this.summary?.config;
    const inverse = Object.fromEntries(Object.keys(changes).map((path) => [path, valueAt(config, path)]));
    const done = await this.#notices.attempt(() => this.#api.request('run:edit', { runId: this.runId, changes, extension }));
    if (!done) return false;
    this.#notices.confirm(
      'The change takes effect at the next step.',
      () => void this.#api.request('run:edit', { runId: this.runId, changes: inverse }),
    );
    await this.catchUp();
    return true;
  }

  pause(): Promise<boolean> {
    return this.#control('Pausing after this step', () => this.#api.request('run:pause', { runId: this.runId }));
  }
  resume(): Promise<boolean> {
    return this.#control('Resuming', () => this.#api.request('run:resume', { runId: this.runId }));
  }
  advance(steps: number): Promise<boolean> {
    return this.#control(`Running ${steps} steps, then pausing`, () => this.#api.request('run:advance', { runId: this.runId, steps }));
  }
  stop(): Promise<boolean> {
    return this.#control('Stopping after this step; a checkpoint is kept', () =>
      this.#api.request('run:stop', { runId: this.runId, discard: false }),
    );
  }

  async discard(): Promise<boolean> {
    const done = await this.#control('Stopping; the run goes to the trash', () =>
      this.#api.request('run:stop', { runId: this.runId, discard: true }),
    );
    if (done) this.#notices.confirm('Stopped and moved to the trash.', () => void this.#api.request('runs:restore', { runId: this.runId }));
    return done;
  }

  async checkpoint(): Promise<void> {
    await this.#notices.attempt(async () => {
      const { step } = await this.#api.request('run:checkpoint', { runId: this.runId });
      this.#notices.confirm(`Checkpoint written at step ${step}.`);
    });
  }

  async note(text: string): Promise<void> {
    await this.#notices.attempt(() => this.#api.request('run:note', { runId: this.runId, text }));
    if (!this.#live) await this.catchUp();
  }

  async veto(): Promise<void> {
    const turnedDown = this.#proposal?.step;
    const isDone = await this.#notices.attempt(() => this.#api.request('switch:veto', { runId: this.runId }));
    // The next proposal may be here before the answer.
    if (isDone && this.#proposal?.step === turnedDown) this.#proposal = null;
  }

  async #control(words: string, action: () => Promise<unknown>): Promise<boolean> {
    this.#pending = words;
    const done = await this.#notices.attempt(action);
    if (!done || !this.#live) this.#pending = null;
    if (done && !this.#live) await this.catchUp();
    return done;
  }
}
