import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { filesIn } from "../helpers/canary.ts";
import { until } from "../helpers/until.ts";
import { found, makeCanaries, startCanaryWorld } from "./canary-world.ts";

/** A request and the status that it is to have. */
type Try = readonly [name: string, status: number, request: () => Promise<Response>];

test("no message, answer, secret, token or key stands in a log, in the audit log, or after deletion on disk", async () => {
  const canaries = makeCanaries();
  const { message, answer, context, config, secret, toolArguments, query, credential } = canaries;
  const world = await startCanaryWorld(canaries);
  const permissions = "agents:read,agents:write,agents:admin,platform:admin";
  const created = await world.command(
    ...`keys create --tenant acme --subject ci --permissions ${permissions}`.split(" "),
  );
  const apiKey = created.stdout.trim();
  const forged = apiKey.slice(0, -1) + (apiKey.endsWith("0") ? "1" : "0");
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

  const send = (path: string, body: string | object, headers: Record<string, string> = bearer(apiKey)) =>
    fetch(world.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
  const rpc = (method: string, body: string | object, headers?: Record<string, string>) =>
    send(`/valinor.v1.${method}`, body, headers);
  const say = (agentId: string, content: string, headers?: Record<string, string>) =>
    rpc("AgentProxy/SendMessage", { agentId, message: { role: "user", content } }, headers);
  const sse = (agentId: string, content: string, headers: Record<string, string> = bearer(world.token)) => {
    const text = encodeURIComponent(JSON.stringify({ content }));
    return fetch(`${world.url}/agents/${agentId}/stream?message=${text}&access_token=${query}`, { headers });
  };
  const allTools = { mode: "MODE_ALL" };
  const secretConfig = { system_prompt: `secret:Be kind. ${secret}`, note: config };
  const push = (agentId: string, toolPolicy: object, headers?: Record<string, string>) =>
    rpc("AgentProxy/PushConfig", { agentId, config: secretConfig, toolPolicy }, headers);
  const pushContext = (agentId: string) =>
    rpc("AgentProxy/PushContext", { agentId, context, key: "place" }, bearer(world.token));
  const create = (id: string, address: string) =>
    rpc("AgentRegistry/CreateAgent", { agent: { id, address } });
  const words = `${message} !echo ${answer}`;

  const success: Try[] = [
    ["create the real agent", 200, () => create("real", world.agent.address)],
    ["create the guest", 200, () => create("guest", world.guest.address)],
    ["push a configuration", 200, () => push("real", allTools)],
    ["push it to the guest", 200, () => push("guest", allTools, bearer(world.token))],
    ["push a context", 200, () => pushContext("real")],
    ["send", 200, () => say("real", words)],
    ["send with a token", 200, () => say("real", words, bearer(world.token))],
    ["stream", 200, () => sse("real", words)],
    ["send by REST", 200, () => send("/agents/real/message", { content: words, extra: message })],
    [
      "send as OpenAI's clients",
      200,
      () => send("/v1/chat/completions", { model: "real", messages: [{ role: "user", content: words }] }),
    ],
    ["have a tool called", 200, () => say("real", `${message} !tool lookup {"q":"${toolArguments}"}`)],
    ["read", 200, () => rpc("AgentRegistry/ListConfigRevisions", { agentId: "real" })],
  ];
  const failures: Try[] = [
    [
      "break JSON",
      400,
      () => rpc("AgentProxy/SendMessage", `{"agentId":"real","message":{"content":"${message}`),
    ],
    ["break JSON by REST", 400, () => send("/agents/real/message", `{"content":"${message}`)],
    [
      "give a wrong type",
      400,
      () => rpc("AgentProxy/SendMessage", { agentId: "real", message, [message]: message }),
    ],
    [
      "break a rule",
      400,
      () => rpc("AgentProxy/SendMessage", { agentId: `!${message}`, requestId: `!${message}` }),
    ],
    ["take an unknown path", 404, () => send(`/${message}/${query}?q=${query}`, { message }, bearer(apiKey))],
    ["take an unknown agent", 404, () => say("nobody", message)],
    ["come without a credential", 401, () => say("real", message, {})],
    ["come with a key that is not one", 401, () => say("real", message, bearer(`vlr_x_${credential}`))],
    ["come with a forged key", 401, () => say("real", message, bearer(forged))],
    ["come with a broken token", 401, () => say("real", message, bearer(`${world.token}${credential}`))],
    ["come with a text", 401, () => say("real", message, bearer(credential))],
    [
      "come with a password",
      401,
      () => say("real", message, { authorization: `Basic ${btoa(`me:${credential}`)}` }),
    ],
    ["be denied", 403, () => push("real", allTools, bearer(world.viewer))],
    ["be denied a message", 403, () => say("real", message, bearer(world.viewer))],
    ["have the model fail", 500, () => say("real", `${message} !fail 500`)],
    ["have the model break off", 500, () => say("real", `${message} !cut !echo ${answer}`)],
    [
      "push an empty secret",
      400,
      () => rpc("AgentProxy/PushConfig", { agentId: "real", config: { [config]: "secret:" } }),
    ],
  ];
  const blockTools: Try = ["allow no tool", 200, () => push("real", { mode: "MODE_LISTED" })];
  const blockedTool: Try = [
    "have a tool blocked",
    403,
    () => say("real", `${message} !tool lookup {"q":"${toolArguments}"}`),
  ];
  const guestFailures: Record<string, number> = {
    error: 500,
    "unknown-error": 500,
    blocked: 403,
    "wrong-type": 500,
    "wrong-payload": 500,
    "unknown-frame": 504,
    "wrong-heartbeat": 500,
    "no-json": 500,
    "no-frame": 500,
    "other-agent": 504,
  };

  const attempt = async ([name, , request]: Try): Promise<[string, number]> => {
    const response = await request();
    await response.text();
    return [name, response.status];
  };
  for (const each of success) expect(await attempt(each)).toEqual([each[0], each[1]]);
  const failed = await Promise.all(failures.map(attempt));
  expect(failed).toEqual(failures.map(([name, status]) => [name, status]));
  await attempt(blockTools);
  expect(await attempt(blockedTool)).toEqual([blockedTool[0], blockedTool[1]]);

  for (const [word, status] of Object.entries(guestFailures)) {
    const answered = await say("guest", `${word} ${message}`);
    expect([word, answered.status]).toEqual([word, status]);
    await answered.text();
  }
  await world.server.waitFor(
    /"agent":"guest","detail":"the guest says it is agent of another name","msg":"link down"/,
  );

  // The store fails while another program writes to the database.
  const other = new DatabaseSync(join(world.data, "valinor.db"));
  other.exec("begin immediate");
  expect((await pushContext("real")).status).toBe(503);
  other.exec("commit");
  other.close();

  // The agent dies in the middle of an answer.
  const [running] = await Promise.all([
    sse("real", `${message} ${answer} !stall 60`),
    until("the run is under way", async () => {
      const status = await rpc("AgentProxy/GetAgentStatus", { agentId: "real" });
      return ((await status.json()) as { inFlight?: number }).inFlight === 1;
    }),
  ]);
  world.agent.kill("SIGKILL");
  expect(await running.text()).toContain("event: error");

  const readable = { ...canaries, apiKey, token: world.token, viewer: world.viewer };
  const { context: _context, config: _config, ...unreadable } = readable;
  // Contexts and what is no secret of a configuration are in the store, until they are deleted.
  expect(found({ context, config }, filesIn(world.data)).length).toBeGreaterThan(1);
  expect(found(unreadable, filesIn(world.data))).toEqual([]);
  expect(found(readable, filesIn(world.state))).toEqual([]);

  expect((await rpc("AgentRegistry/DeleteAgent", { agentId: "guest" })).status).toBe(200);
  expect(await world.command("tenants", "delete", "acme", "--yes")).toMatchObject({
    code: 0,
    stdout: "deleted 1 agent and 1 API key of acme\n",
  });
  await until("the running server has dropped the agent and the key", async () => {
    const agent = await rpc("AgentProxy/GetAgentStatus", { agentId: "real" }, bearer(world.token));
    return agent.status === 404;
  });
  world.server.kill("SIGTERM");
  await world.server.exited;

  const exported = await world.command("audit", "export");
  expect(exported.code).toBe(0);
  const actions = exported.stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { action: string }).action);
  expect([...new Set(actions)].toSorted().join(" ")).toBe(
    "agent.create agent.delete config.applied config.push context.push denied key.create tenant.delete tool.blocked",
  );
  const { server, agent } = world.logs();
  expect(server).toContain('"msg":"link down"');
  expect(agent).toContain('"level":"warn"');
  const written = { server, agent, audit: exported.stdout, "audit's errors": exported.stderr };
  expect(found(readable, { ...written, ...filesIn(world.data), ...filesIn(world.state) })).toEqual([]);
}, 90_000);
