import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { findCanary, makeCanary } from "../helpers/canary.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { type Program, spawnValinor, startAgentProcess } from "../helpers/process.ts";
import { startIssuer } from "../auth/issuer.ts";
import { lengthAndBytes } from "../helpers/frame-bytes.ts";
import { type Guest, type Session, startGuest } from "../link/fake-guest.ts";

/** Texts that clients, guests and operators trust Valinor with, one of each kind. */
export function makeCanaries() {
  return {
    message: makeCanary("message"),
    answer: makeCanary("answer"),
    context: makeCanary("context"),
    config: makeCanary("config"),
    secret: makeCanary("secret"),
    guestToken: makeCanary("guest-token"),
    toolArguments: makeCanary("tool-arguments"),
    query: makeCanary("query"),
    credential: makeCanary("credential"),
    claim: makeCanary("claim"),
    guestText: makeCanary("guest-text"),
  };
}

/** A real control plane with authentication and a log of everything, one real agent, and one guest that does what it likes. */
export async function startCanaryWorld(canaries: ReturnType<typeof makeCanaries>) {
  const data = tempDir();
  const state = tempDir();
  const issuer = await startIssuer();
  const tokenFile = join(tempDir(), "token");
  writeFileSync(tokenFile, canaries.guestToken);
  const config = join(tempDir(), "valinor.yaml");
  const { jwksUrl } = issuer.issuer;
  const auth = { issuer: issuer.issuer.issuer, audience: "valinor", jwks_url: jwksUrl };
  const settings = {
    proxy: { transport: "tcp", guest_token_file: tokenFile, message_timeout: 2, config_timeout: 2 },
    server: { port: 0, drain_seconds: 1 },
    store: { url: `sqlite:${join(data, "valinor.db")}`, refresh_seconds: 0.2 },
    log: { level: "trace" },
    auth: { api_keys: true, issuers: [auth] },
    secrets: { key: "0123456789abcdef".repeat(4) },
  };
  writeFileSync(config, stringify(settings));

  const model = await startModel();
  const agent = await startAgentProcess({
    openclawUrl: model.url,
    agentId: "real",
    tokenFile,
    stateDir: state,
  });
  const guest = await startGuest({
    on: { message: (session, { id, payload }) => misbehave(session, id, payload, canaries) },
  });
  const server = spawnValinor(["serve", "--config", config]);
  const [line] = await server.waitFor(/.*"msg":"listening".*/);
  const { url } = JSON.parse(line) as { url: string };

  return {
    url,
    config,
    data,
    state,
    server,
    agent,
    guest,
    /** A token with every permission, which says more than it needs to. */
    token: await issuer.token({ claims: { roles: ["admin", "platform"], note: canaries.claim } }),
    viewer: await issuer.token({ claims: { roles: ["viewer"], note: canaries.claim } }),
    /** Runs `valinor ...` to its end; resolves with what it printed. */
    async command(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
      const program = spawnValinor([...args, "--config", config]);
      const { code } = await program.exited;
      return { code, stdout: program.stdout(), stderr: program.stderr() };
    },
    /** What both programs have written to their logs. */
    logs: () => ({ server: outputOf(server), agent: outputOf(agent) }),
  };
}

/** Names of the canaries that stand in one of the places, and where. */
export function found(
  canaries: Readonly<Record<string, string>>,
  places: Readonly<Record<string, Buffer | string>>,
): string[] {
  return Object.entries(canaries).flatMap(([name, canary]) =>
    findCanary(canary, places).map((place) => `${name} in ${place}`),
  );
}

function outputOf(program: Program): string {
  return program.stdout() + program.stderr();
}

/** What the guest does with a message, by its first word: everything that it should not. */
function misbehave(
  session: Session,
  id: string,
  payload: Guest["sessions"][number]["received"][number]["payload"],
  { guestText }: { guestText: string },
): void {
  const [word] = String(payload["content"]).split(" ");
  switch (word) {
    case "error":
      return session.send("error", id, { code: "internal", message: guestText });
    case "unknown-error":
      return session.send("error", id, { code: guestText, message: guestText });
    case "blocked":
      session.opened(id);
      return session.send("tool_blocked", id, {
        tool_name: `rm ${guestText}`,
        reason: guestText,
        sequence: 1,
      });
    case "wrong-type":
      session.opened(id);
      return session.send("chunk", id, { content: { text: guestText }, done: false, sequence: 1 });
    case "wrong-payload":
      return session.send("opened", id, { boot_id: [guestText], attached: guestText });
    case "unknown-frame":
      return session.send(guestText, id, { guestText });
    case "wrong-heartbeat":
      return session.heartbeat({ uptime_secs: guestText });
    case "other-agent":
      session.guest.agentId = `agent ${guestText}`; // from the next link on
      session.heartbeat({ agent_version: guestText, openclaw: guestText });
      return void session.socket.end();
    case "no-json":
      return session.raw(lengthAndBytes(Buffer.from(`{"type":"chunk","${guestText}`)));
    default:
      return session.raw(guestText.repeat(100));
  }
}
