import { signal } from "@preact/signals";
import { storage, write } from "./storage.ts";

const KEY = "valinor.credential";
const box = storage("session");

/** The API key or token that calls carry; empty: none. It lasts as long as the tab. */
export const credential = signal(box.getItem(KEY) ?? "");

/** True once the server has refused a call for want of a good credential. */
export const credentialWanted = signal(false);

/** Takes a credential, or drops it if it is empty. */
export function setCredential(text: string): void {
  const value = text.trim();
  if (value === "") box.removeItem(KEY);
  else write(box, KEY, value);
  credentialWanted.value = false;
  credential.value = value;
}
