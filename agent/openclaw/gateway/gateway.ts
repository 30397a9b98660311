import { type UnknownObject, longestPauseMs } from "@valinor/protocol";
import type { Bounds } from "../../bounds.ts";
import { type GatewayLink, type GatewayTarget, openGatewayLink } from "./gateway-link.ts";

/** OpenClaw's gateway, reached when it is needed. */
export interface Gateway {
  /** Calls a method, connecting first where there is no connection. Rejects with GatewayError. */
  call(method: string, params?: object): Promise<UnknownObject>;
  /**
   * Keeps a connection, so that items are told, until `release`: a lost one is opened again. `opened` resolves when there
   * is one or one attempt has failed; it never rejects.
   */
  hold(): { readonly opened: Promise<void>; release(): void };
  close(): void;
}

/** Bounds of a gateway and of its connections. */
export type GatewayOptions = Omit<GatewayTarget, "bounds"> & {
  readonly bounds: GatewayTarget["bounds"] &
    Pick<Bounds, "gatewayIdleMs" | "gatewayRedialMinMs" | "gatewayRedialMaxMs">;
};

/**
 * Makes a gateway. A connection that is neither called nor held for `gatewayIdleMs` is closed: OpenClaw sends every
 * operator the text of every run over and over, which nobody here reads.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { bounds } = options;
  let link: Promise<GatewayLink> | undefined;
  let holders = 0;
  let failures = 0;
  let closed = false;
  let redial: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;

  function open(): Promise<GatewayLink> {
    clearTimeout(redial);
    link ??= connect();
    return link;
  }

  async function tryOpen(): Promise<void> {
    await open().catch(() => {});
  }

  async function connect(): Promise<GatewayLink> {
    try {
      const opened = await openGatewayLink(options);
      failures = 0;
      if (closed) opened.close();
      void opened.closed.then(lost);
      return opened;
    } catch (error) {
      failures++;
      lost();
      throw error;
    }
  }

  /** There is no connection any more; who holds one gets another, after a wait that doubles. */
  function lost(): void {
    link = undefined;
    clearTimeout(redial);
    if (closed || holders === 0) return;
    const pace = { firstMs: bounds.gatewayRedialMinMs, longestMs: bounds.gatewayRedialMaxMs };
    redial = setTimeout(() => void tryOpen(), longestPauseMs(pace, failures));
  }

  /** Counts the time without use anew. */
  function rest(): void {
    clearTimeout(idle);
    if (holders > 0 || closed) return;
    idle = setTimeout(
      () => void link?.then((opened) => opened.close()).catch(() => {}),
      bounds.gatewayIdleMs,
    );
  }

  return {
    async call(method, params = {}) {
      clearTimeout(idle);
      try {
        return await (await open()).call(method, params);
      } finally {
        rest();
      }
    },
    hold() {
      holders++;
      clearTimeout(idle);
      let held = true;
      return {
        opened: tryOpen(),
        release() {
          if (!held) return;
          held = false;
          holders--;
          rest();
        },
      };
    },
    close() {
      closed = true;
      clearTimeout(redial);
      clearTimeout(idle);
      void link?.then((opened) => opened.close()).catch(() => {});
    },
  };
}
