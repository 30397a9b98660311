import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { connect as tlsConnect } from "node:tls";
import { type ConnectFault, connectFault } from "../client/errors/connect-errors.ts";
import type { Target } from "../client/session.ts";

const MAX_BODY = 4_096;

/** What answers at a server's address. */
export type Probe =
  | { readonly kind: "valinor" }
  /** Another HTTP server; `answer` says what it said. */
  | { readonly kind: "other"; readonly answer: string; readonly status: number }
  /** It speaks TLS, and was called without. */
  | { readonly kind: "needs_tls" }
  | { readonly kind: "fault"; readonly fault: ConnectFault; readonly code: string };

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Looks what listens at an address, and waits at most `ms` for its word. Never rejects. */
export async function probeServer(target: Target, ms: number): Promise<Probe> {
  const answer = await ask(target, "healthz", ms);
  if ("fault" in answer) {
    const maybeTls = target.url.protocol === "http:" && ["reset", "not_http"].includes(answer.fault);
    if (maybeTls && (await speaksTls(target.url, ms))) return { kind: "needs_tls" };
    return { kind: "fault", ...answer };
  }
  const { status, body } = answer;
  if (status === 200 && body === "ok\n") return { kind: "valinor" };
  if (status === 400 && /\bHTTPS\b/i.test(body) && (await speaksTls(target.url, ms)))
    return { kind: "needs_tls" };
  const text = body.trim().slice(0, 80);
  return {
    kind: "other",
    status,
    answer: `status ${status}${text === "" ? "" : `, ${JSON.stringify(text)}`}`,
  };
}

/** Whether the server takes requests, as it says itself. Never rejects. */
export async function isReady(target: Target, ms: number): Promise<boolean> {
  const answer = await ask(target, "readyz", ms);
  return "status" in answer && answer.status === 200;
}

function ask(
  { url, ca }: Target,
  path: string,
  ms: number,
): Promise<Answer | { fault: ConnectFault; code: string }> {
  const get = url.protocol === "https:" ? httpsGet : httpGet;
  const at = new URL(path, url.href.endsWith("/") ? url : `${url.href}/`);
  return new Promise((resolve) => {
    const late = AbortSignal.timeout(ms);
    const fail = (error: unknown): void => {
      const timedOut = { fault: "timeout", code: "ETIMEDOUT" } as const;
      resolve(late.aborted ? timedOut : (connectFault(error) ?? { fault: "reset", code: "" }));
    };
    const request = get(
      at,
      { agent: false, signal: late, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          body += text;
          if (body.length > MAX_BODY) response.destroy();
        });
        response.on("error", fail);
        response.on("close", () =>
          resolve({ status: response.statusCode ?? 0, body: body.slice(0, MAX_BODY) }),
        );
      },
    );
    request.on("error", fail);
  });
}

function speaksTls({ hostname, port }: URL, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent and nothing believed: only a handshake is asked for.
    const socket = tlsConnect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 80),
      rejectUnauthorized: false,
    });
    const settle = (speaks: boolean): void => {
      socket.destroy();
      resolve(speaks);
    };
    socket.setTimeout(ms, () => settle(false));
    socket.once("secureConnect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
