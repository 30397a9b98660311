import { beforeAll, describe, expect, it } from "vitest";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { restRoutes } from "../../src/http/api.ts";
import { forgedKey } from "../auth/forged.ts";
import { until } from "../helpers/until.ts";
import { type Role, roles, routeRows, type Row, rpcRows } from "./access-rows.ts";
import {
  type AccessWorld,
  callRoute,
  callRpc,
  OTHER,
  type Outcome,
  OWN,
  type Protocol,
  startAccessWorld,
  transportOf,
} from "./access-world.ts";

const methods: DescMethod[] = [...AgentProxy.methods, ...AgentRegistry.methods];
const routes = restRoutes.flatMap(({ methods: verbs, path, prefixed = true }) =>
  verbs.filter((verb) => verb !== "HEAD").map((verb) => ({ name: `${verb} ${path}`, prefixed })),
);
const protocols: Protocol[] = ["Connect", "gRPC", "gRPC-Web"];
const nameOf = (method: DescMethod) => `${method.parent.name}/${method.name}`;

let world: AccessWorld;
let bad: [string, string | undefined][];
/** An agent of the callers' tenant, and one of another tenant. */
let own: string;
let other: string;
let good: { name: string; role: Role; authorization: string }[];
const transports = new Map<Protocol, Transport>();

beforeAll(async () => {
  world = await startAccessWorld();
  bad = Object.entries(await world.bad());
  own = await world.addAgent(OWN);
  other = await world.addAgent(OTHER);
  good = [];
  for (const role of roles)
    for (const [kind, authorization] of Object.entries(await world.good(role)))
      good.push({ name: `${role} by ${kind}`, role, authorization });
  for (const protocol of protocols) transports.set(protocol, transportOf(protocol, world.url));
});

/** One thing that can be asked for, in one way. */
interface Door {
  readonly name: string;
  readonly row: Row | undefined;
  ask(agentId: string, headers: Record<string, string>): Promise<Outcome>;
  readonly unauthenticated: string;
  readonly denied: string;
  readonly notFound: string;
}

function rpcDoor(method: DescMethod, protocol: Protocol): Door {
  const row = rpcRows[nameOf(method)];
  return {
    name: `${nameOf(method)} over ${protocol}`,
    row,
    ask: (agentId, headers) => callRpc(transports.get(protocol), method, row?.ask(agentId) ?? {}, headers),
    unauthenticated: "unauthenticated",
    denied: "permission_denied",
    notFound: "not_found",
  };
}

function routeDoor(route: string, prefix: string): Door {
  const row = routeRows[route];
  return {
    name: route.replace(" ", ` ${prefix}`),
    row,
    ask: (agentId, headers) =>
      callRoute(world.url + prefix, route, agentId, row?.ask(agentId) ?? {}, headers),
    unauthenticated: "401",
    denied: "403",
    notFound: "404",
  };
}

const doors = [
  ...methods.flatMap((method) => protocols.map((protocol) => rpcDoor(method, protocol))),
  ...routes.map(({ name }) => routeDoor(name, "")),
  ...routes.filter(({ prefixed }) => prefixed).map(({ name }) => routeDoor(name, "/api/v1")),
];

it("every RPC and every route has a row in this test's own table, and no row is left over", () => {
  expect(Object.keys(rpcRows).toSorted()).toEqual(methods.map(nameOf).toSorted());
  expect(Object.keys(routeRows).toSorted()).toEqual(routes.map(({ name }) => name).toSorted());
});

describe.each(doors.filter((door) => door.row !== undefined))("$name", (door) => {
  const { denied, unauthenticated, notFound } = door;
  const row = door.row as Row;

  /** What came of a call, in the words of the tests below. */
  const verdict = ({ result }: Outcome) =>
    ({ [denied]: "denied", [unauthenticated]: "unknown", [notFound]: "not found" })[result] ?? "let in";

  /** Asks with every good credential about the agents that `agentOf` names. */
  async function verdicts(agentOf: () => Promise<string>, headers: Record<string, string> = {}) {
    const asked = good.map(async ({ name, authorization }) => {
      const agent = row.about === "agent" ? await agentOf() : "";
      return [name, verdict(await door.ask(agent, { authorization, ...headers }))] as const;
    });
    return Object.fromEntries(await Promise.all(asked));
  }

  const expected = (may: readonly Role[]) =>
    Object.fromEntries(good.map(({ name, role }) => [name, may.includes(role) ? "let in" : "denied"]));

  it("lets in exactly the roles that may, by token and by key", async () => {
    const agentOf = async () => (row.removes ? world.addAgent(OWN) : own);
    expect(await verdicts(agentOf)).toEqual(expected(row.may));
  });

  it("is shut for every bad credential, and repeats none", async () => {
    const asked = bad.map(async ([name, authorization]) => {
      const outcome = await door.ask(own, authorization === undefined ? {} : { authorization });
      const repeats =
        authorization !== undefined && outcome.body.includes(authorization.split(" ").at(-1) ?? "");
      return [name, verdict(outcome), repeats];
    });
    expect(await Promise.all(asked)).toEqual(bad.map(([name]) => [name, "unknown", false]));
  });

  it("takes no credential from another place than its header", async () => {
    const { key } = await world.good("admin");
    const secret = key.split(" ")[1] ?? "";
    for (const [name, value] of Object.entries({
      "x-api-key": secret,
      cookie: `access_token=${secret}`,
      "proxy-authorization": key,
    }))
      expect([name, verdict(await door.ask(own, { [name]: value }))]).toEqual([name, "unknown"]);
  });

  it("shows nothing of another tenant: its agent is as one that exists nowhere", async () => {
    const may = good.filter(({ role }) => row.may.includes(role));
    const nowhere = "agent-0";
    const before = await world.store.getAgent({ tenant: OTHER, id: other });
    const asked = may.map(async ({ name, authorization }) => {
      const seen = await door.ask(other, { authorization });
      if (row.about === "tenant") return [name, seen.body.includes(`"${other}"`) ? "shown" : "hidden"];
      const missing = await door.ask(nowhere, { authorization });
      const same = seen.body.replaceAll(other, "ID") === missing.body.replaceAll(nowhere, "ID");
      return [name, verdict(seen) === "not found" && same ? "hidden" : seen.body];
    });
    expect(await Promise.all(asked)).toEqual(may.map(({ name }) => [name, "hidden"]));
    expect(await world.store.getAgent({ tenant: OTHER, id: other })).toEqual(before);
  });

  it("needs platform:admin for another tenant that is named", async () => {
    const agentOf = async () => (row.removes ? world.addAgent(OTHER) : other);
    expect(await verdicts(agentOf, { "x-valinor-tenant": OTHER })).toEqual(expected(["platform"]));
  });
});

describe("agents", () => {
  const ask = (body: object, authorization: string, name = "AgentRegistry/CreateAgent") => {
    const method = methods.find((each) => nameOf(each) === name);
    if (method === undefined) throw new Error(`there is no ${name}`);
    return callRpc(transports.get("Connect"), method, body, { authorization });
  };

  it.each([{ address: "tcp://127.0.0.1:9" }, { vsockCid: 77 }])(
    "get %j from platform:admin alone, when they are made and later",
    async (place) => {
      const id = `placed-${Object.keys(place)[0]}`;
      const status = "AGENT_STATUS_STOPPED";
      const { token: admin } = await world.good("admin");
      const { key: platform } = await world.good("platform");
      const mask = Object.keys(place).join(",");
      expect(await ask({ agent: { id, status, ...place } }, admin)).toMatchObject({
        result: "permission_denied",
      });
      expect(await ask({ agent: { id, status } }, admin)).toMatchObject({ result: "ok" });
      const update = { agent: { id, ...place }, updateMask: mask };
      expect(await ask(update, admin, "AgentRegistry/UpdateAgent")).toMatchObject({
        result: "permission_denied",
      });
      expect(await ask(update, platform, "AgentRegistry/UpdateAgent")).toMatchObject({ result: "ok" });
    },
  );

  it("of two tenants may have one id, and each tenant has its own", async () => {
    const body = { agent: { id: other, status: "AGENT_STATUS_STOPPED" } };
    const { token: ours } = await world.good("admin", "third");
    expect(await ask(body, ours)).toMatchObject({ result: "ok" });
    expect(await ask({ agentId: other }, ours, "AgentRegistry/DeleteAgent")).toMatchObject({ result: "ok" });
    expect(await world.store.getAgent({ tenant: OTHER, id: other })).toBeDefined();
  });
});

describe("a query", () => {
  it.each(["access_token", "api_key", "key", "authorization"])(
    "with a credential as %s lets nobody in",
    async (name) => {
      const { key, token } = await world.good("admin");
      for (const header of [key, token]) {
        const credential = header.split(" ")[1] ?? "";
        const url = `${world.url}/agents/${own}?${name}=${encodeURIComponent(credential)}`;
        expect((await fetch(url)).status).toBe(401);
      }
    },
  );
});

describe("the audit log", () => {
  it("has a denial with who, what and which permission, and a refused credential by its id alone", async () => {
    const { id, text } = await world.key("viewer");
    const route = (credential: string) =>
      callRoute(world.url, "POST /agents/:id/context", own, { context: "c" }, { authorization: credential });
    await route(`Bearer ${text}`);
    await route(`Bearer ${forgedKey(id)}`);
    const entries = await until(
      "both are written",
      async () => {
        const mine = (await world.audit()).filter(({ credential }) => credential === `key:${id}`);
        const denials = mine.filter(({ action }) => action === "denied");
        return denials.length >= 2 ? denials : undefined;
      },
      15_000,
    );
    expect(entries).toMatchObject([
      {
        tenant: OWN,
        subject: "ci",
        agentId: own,
        detail: { action: "pushContext", permission: "agents:write" },
      },
      { tenant: "", subject: "", agentId: "", detail: { why: "the API key is unknown" } },
    ]);
    expect(JSON.stringify(entries)).not.toContain(text.slice(17));
  });
});
