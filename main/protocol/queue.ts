/**
 * The queue of runs: what waits, in which order, and how it is told to the page. A config is frozen when it is queued; what lies in the queue
 * file is what will be trained (product.md section 3, "Queue").
 */
import './jitless.ts';
import { z } from 'zod';
import { RunConfig } from './config.ts';
import { StudyMembership } from './study.ts';

export const QUEUE_VERSION = 1;

/** What manual switching does in a queue, where nobody may be there to answer: after so many minutes switch, or train on in full. */
export const QueueFallback = z.strictObject({
  minutes: z.number().min(0).max(10_080),
  action: z.enum(['switch', 'full']),
});
export type QueueFallback = z.output<typeof QueueFallback>;

const Entry = z.object({
  id: z.string().min(1),
  name: z.string(),
  queuedAt: z.string(),
  study: StudyMembership.nullable(),
  fallback: QueueFallback.nullable(),
  /** A failed entry stays until it is removed or tried again; a finished one leaves the queue. */
  status: z.enum(['waiting', 'running', 'failed']),
  message: z.string().nullable(),
  secondsEstimate: z.number().nullable(),
  /** The run it has become, or the stopped run that it continues. */
  runId: z.string().nullable(),
  /** Switches before the first update: one half of "fork both ways". */
  switchesFirst: z.boolean(),
});

/** One entry of the queue file. */
export const QueueEntry = Entry.extend({
  /** Null for an entry that continues a run, which has its own. */
  config: RunConfig.nullable(),
});
export type QueueEntry = z.output<typeof QueueEntry>;

/** queue.json, replaced atomically at every change. */
export const QueueFile = z.object({
  version: z.literal(QUEUE_VERSION),
  paused: z.boolean(),
  /** Nothing is started before this time; null starts as soon as the device is free. */
  startAt: z.iso.datetime({ offset: true }).nullable(),
  entries: z.array(QueueEntry),
});
export type QueueFile = z.output<typeof QueueFile>;

export const QueueState = z.object({
  paused: z.boolean(),
  startAt: z.string().nullable(),
  entries: z.array(Entry),
  /** Why nothing is started now, in words; null while an entry runs or nothing waits. */
  waitsFor: z.string().nullable(),
});
export type QueueState = z.output<typeof QueueState>;
