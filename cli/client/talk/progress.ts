import { cell } from "../output.ts";
import { monotonicNow } from "@valinor/protocol";

const SIGNS = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const TURN_MS = 120;
/** Shorter waits show nothing on a terminal. */
const QUIET_MS = 300;
/** Shorter waits show nothing in a log. */
const LOG_QUIET_MS = 2_000;
const COLUMNS = 80;

/** A wait that is shown on stderr. */
export interface Progress {
  /** Says what is waited for now. */
  update(text: string): void;
  /** Takes the sign away. May be called again. */
  stop(): void;
}

/** Where progress is shown. */
export type ProgressStream = Pick<NodeJS.WriteStream, "write"> & { isTTY?: boolean; columns?: number };

/**
 * Shows that something is waited for: on a terminal a sign that turns, with the seconds so far; elsewhere one line after 2 s, and one
 * for each other text.
 */
export function showProgress(text: string, stream: ProgressStream = process.stderr): Progress {
  return stream.isTTY === true ? turning(text, stream) : written(text, stream);
}

function turning(first: string, stream: ProgressStream): Progress {
  const began = monotonicNow();
  let text = first;
  let turn = 0;
  let shown = false;
  const draw = (): void => {
    const ms = monotonicNow() - began;
    if (ms < QUIET_MS) return;
    shown = true;
    const width = (stream.columns ?? COLUMNS) - 1;
    const line = `${SIGNS[turn++ % SIGNS.length]} ${cell(text)} ${Math.floor(ms / 1000)} s`;
    stream.write(`\r\u001b[2K${line.slice(0, width)}`);
  };
  const timer = setInterval(draw, TURN_MS).unref();
  return {
    update: (next) => void (text = next),
    stop() {
      clearInterval(timer);
      if (shown) stream.write("\r\u001b[2K");
      shown = false;
    },
  };
}

function written(first: string, stream: ProgressStream): Progress {
  let text = first;
  let last = "";
  const write = (): void => {
    if (text !== last) stream.write(`${cell(text)} ...\n`);
    last = text;
  };
  const timer = setInterval(write, LOG_QUIET_MS).unref();
  return { update: (next) => void (text = next), stop: () => clearInterval(timer) };
}
