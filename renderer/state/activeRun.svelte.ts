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
import { RunControls } from './runControls.svelte.ts';
import { ThresholdDraft } from './thresholdDraft.svelte.ts';
import { Verdicts } from './verdicts.svelte.ts';
import { readWholeRun } from './wholeRun.ts';

const ETA_EVERY_MS = 2000;
const DRAW_EVERY_MS = 200;
/** Checkpoints and sums per phase are not in frames; they are asked for with an epoch, but not more often than this. */
const FACTS_EVERY_MS = 60_000;

export class ActiveRun {
  readonly runId: string;
  readonly records = new RunRecords();
  readonly plots = new PlotState();
  readonly controls: RunControls;
  readonly thresholds: ThresholdDraft;
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
  #proposal = $state.raw<Proposal | null>(null);
  #exit = $state.raw<{ reason: string; resumable: boolean } | null>(null);
  #drawingPaused = $state(false);
  #sequence = 0;
  #askedAt = 0;
  #etaShownAt = 0;
  #drawnAt = 0;
  #redrawTimer: ReturnType<typeof setTimeout> | null = null;
  /** Frames that came while `run:state` was on its way: they may be newer than its answer. */
  #early: RunFrame[] | null = null;
  #askingState: Promise<void> | null = null;
  readonly #answers = new FrameAnswers((sequence) => void this.#api.request('frames:ack', { runId: this.runId, sequence }).catch(() => {}));
  readonly #verdicts: Verdicts;
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(runId: string, api: Api, notices: Notices) {
    this.runId = runId;
    this.#api = api;
    this.#notices = notices;
    this.controls = new RunControls(this, api, notices);
    this.thresholds = new ThresholdDraft(this, api);
    this.#verdicts = new Verdicts(runId, this.records, api);
  }

  /** Subscribes and catches up. Gives back an unsubscribe. */
  start(): () => void {
    const ends = [
      this.#api.on('run:frame', (frame) => frame.runId === this.runId && this.#take(frame)),
      this.#api.on('switch:proposed', (proposal) => proposal.runId === this.runId && this.#propose(proposal)),
      this.#api.on('trainer:exited', (exit) => exit.runId === this.runId && this.#exited(exit)),
      // Begun, ended or renamed, by whomever.
      this.#api.on('runs:changed', ({ runIds }) => runIds.includes(this.runId) && this.#catchUpAfter()),
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
      this.#verdicts.stop();
      this.#answers.flush();
      void this.#api.request('run:unsubscribe', { runId: this.runId }).catch(() => {});
    };
  }

  /** Asks for all records again: at the start, after a reconnect, after a gap. Concurrent calls share one request. */
  catchUp(): Promise<void> {
    this.#askingState ??= this.#ask();
    return this.#askingState;
  }

  /** Catches up on a change: an answer that is on its way may have been read before it. */
  #catchUpAfter(): void {
    if (this.#askingState) void this.#askingState.then(() => (this.#isClosed ? undefined : this.catchUp()));
    else void this.catchUp();
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
      const { state } = whole;
      this.records.replace(whole);
      this.#proposal = openProposal(state.events);
      this.#state = state;
      this.#sequence = state.sequence;
      this.#live = state.live;
      this.#setStatus(state.summary.status);
      this.#loading = 'full';
      this.#draw();
      this.#askingState = null;
      this.#takeEarly();
      await this.#verdicts.ask();
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
    if (!facts || !this.#state) return;
    // Damaged records are met when all are read, which facts are not made of.
    const problem = facts.summary.problem ?? this.#state.summary.problem;
    this.#state = { ...this.#state, ...facts, summary: { ...facts.summary, problem } };
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
    // After the switch there is nothing left to judge.
    else if (frame.snapshots.length > 0 && frame.status.phase === 'full') this.#verdicts.askSoon();
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
      this.controls.settle();
      if (status.status === 'running') this.#exit = null;
    }
    if (status.phase !== 'full') this.#proposal = null;
  }

  #propose(proposal: Proposal): void {
    this.#proposal = proposal;
    this.#notices.announce(`Switch proposed at step ${proposal.step}`);
  }

  closeProposal(proposal: Proposal): void {
    if (this.#proposal?.step === proposal.step) this.#proposal = null;
  }

  #exited(exit: { reason: string; resumable: boolean }): void {
    this.#exit = exit;
    this.controls.settle();
    this.#live = false;
    void this.catchUp();
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
  get proposal(): Proposal | null {
    return this.#proposal;
  }
  /** Set after the trainer ended unexpectedly, until the run goes on. */
  get exit(): { reason: string; resumable: boolean } | null {
    return this.#exit;
  }
  /** The verdicts of all tests so far. */
  get replay(): ReplayResult | null {
    return this.#verdicts.replay;
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
}
