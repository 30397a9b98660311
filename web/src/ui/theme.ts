import { effect, signal } from "@preact/signals";
import { storage, write } from "../storage.ts";

/** What the page looks like: as the system says, or as was chosen. */
export type Theme = "system" | "light" | "dark";

const KEY = "valinor.theme";
const order: readonly Theme[] = ["system", "light", "dark"];
const box = storage("local");

export const theme = signal<Theme>(order.find((name) => name === box.getItem(KEY)) ?? "system");

/** Goes on to the next theme. */
export function nextTheme(): void {
  theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? "system";
  write(box, KEY, theme.value);
}

/** Puts the theme on the page, now and whenever it changes. */
export function applyTheme(): void {
  effect(() => {
    if (theme.value === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme.value);
  });
}
