/** One entry of a menu or of the palette. */
export interface MenuEntry {
  label: string;
  run: () => void;
  keys?: string;
  hint?: string;
  /** Set where it cannot be done now: why. */
  reason?: string;
  danger?: boolean;
  /** Set for an entry that is switched on and off; the menu stays open. */
  checked?: boolean;
}
