/**
 * What the page tells without being asked: toasts confirm and may offer a way back, errors stay until dismissed, announcements go
 * to assistive technology politely (WCAG 4.1.3): phase changes, proposals, failures, never each step.
 */
import { errorText } from '../api.ts';

const TOAST_MS = 10_000;

export interface ToastLink {
  text: string;
  href: string;
}

export interface Toast {
  id: number;
  text: string;
  undo: (() => Promise<void> | void) | null;
  /** Where what it tells of is to be seen. */
  link: ToastLink | null;
}

export interface ErrorNotice {
  id: number;
  text: string;
  code: string;
}

export class Notices {
  #toasts = $state.raw<readonly Toast[]>([]);
  #errors = $state.raw<readonly ErrorNotice[]>([]);
  #announcement = $state('');
  #nextId = 1;

  get toasts(): readonly Toast[] {
    return this.#toasts;
  }

  get errors(): readonly ErrorNotice[] {
    return this.#errors;
  }

  get announcement(): string {
    return this.#announcement;
  }

  /** Confirms something done; with `undo` for ten seconds a way back, with `link` a way there. */
  confirm(text: string, undo: Toast['undo'] = null, link: Toast['link'] = null): void {
    const id = this.#nextId++;
    this.#toasts = [...this.#toasts.slice(-2), { id, text, undo, link }];
    this.#announcement = text;
    setTimeout(() => this.dismissToast(id), TOAST_MS);
  }

  fail(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'internal';
    const text = errorText(error);
    if (this.#errors.some((known) => known.text === text)) return;
    this.#errors = [...this.#errors.slice(-3), { id: this.#nextId++, text, code }];
    this.#announcement = text;
  }

  announce(text: string): void {
    this.#announcement = text;
  }

  /** The newest thing that can still be taken back. */
  get newestUndo(): Toast | null {
    return this.#toasts.findLast(({ undo }) => undo !== null) ?? null;
  }

  /** Takes it back; false when there is nothing. */
  undoNewest(): boolean {
    const toast = this.newestUndo;
    if (!toast) return false;
    this.dismissToast(toast.id);
    void toast.undo?.();
    return true;
  }

  dismissToast(id: number): void {
    this.#toasts = this.#toasts.filter((toast) => toast.id !== id);
  }

  dismissError(id: number): void {
    this.#errors = this.#errors.filter((error) => error.id !== id);
  }

  /** Runs an action; a failure becomes an error notice. Gives true when it went well. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }
}
