import { describe, expect, it } from "vitest";
import type { Frame } from "../../../protocol/wire/frame.ts";
import type { FrameType } from "../../../protocol/wire/vocabulary.ts";
import { absentCases, type Payload } from "../../protocol/wire/absent.ts";
import { schemas } from "../../protocol/wire/schemas.ts";
import { connectHost, type FakeHost } from "../fake-host.ts";
import type { FakeModel } from "../fake-model.ts";
import { configUpdate, launch, letIn, setup, userSays } from "../setup.ts";

/** What a guest does with a frame, names that are minted anew each time left out. */
type Outcome = unknown;
type Frames = readonly Pick<Frame, "type" | "payload">[];

const seen = ({ type, payload }: Pick<Frame, "type" | "payload">): Outcome => {
  const { boot_id: _, life: __, mark: ___, ...rest } = payload;
  return [type, rest];
};
const frames = (all: Frames): Outcome => all.map(seen);

/** A frame as a host may send it, every field of it set. */
const tool = { type: "function", function: { name: "look" } };
const samples: Partial<Record<FrameType, Payload>> = {
  message: {
    role: "user",
    content: "hi",
    request_id: "r",
    conversation_id: "c",
    after_sequence: 1,
    credit: 4_096,
    on_disconnect: "continue",
    min_config_revision: 1,
    history: [{ role: "user", content: "before" }],
    tools: [tool],
    tool_choice: "auto",
    tool_call_id: "call",
    run_life: "life",
    run_seen: { sequence: 1, mark: 2 },
  },
  cancel: { request_id: "r", reason: "enough" },
  context_update: { context: "text", key: "k", replace: true, keys: ["k"] },
  config_update: { ...configUpdate(1, { temperature: 1 }, ["look"]), tool_allowlist: ["look"] },
};

/** A guest, and the run `r` of the sample in it. */
async function guest() {
  const made = await setup();
  await made.host.ask("config_update", configUpdate(1, {}));
  return made;
}

/** Sends a message to a guest that knows the run `r`, and to one that does not; what comes of it. */
async function tell(payload: Payload, knows: boolean): Promise<Outcome> {
  const { host, model } = await guest();
  if (knows) await beginAgain(host, model, payload);
  const exchange = host.message(payload);
  const first = await exchange.frames.take();
  if (first.type === "error") return frames([first]);
  if (!knows) (await model.next()).finish();
  exchange.credit(1e9);
  return frames([first, ...(await exchange.rest())]);
}

/** Has the guest run the same message, as one that does not attach. */
async function beginAgain(host: FakeHost, model: FakeModel, payload: Payload): Promise<void> {
  const { after_sequence: _, run_life: __, run_seen: ___, ...given } = payload;
  const { role, credit: ____, ...rest } = given;
  const exchange = host.message({ ...rest, role: role || "user", request_id: "r" });
  (await model.next()).finish();
  await exchange.rest();
}

const outcomes: Partial<Record<FrameType, (payload: Payload) => Promise<Outcome>>> = {
  async message(payload) {
    return [await tell(payload, true), await tell(payload, false), await tell(newMessage(payload), false)];
  },
  async cancel(payload) {
    const { host, model } = await guest();
    const exchange = host.message(userSays("hi", { request_id: "r" }));
    await model.next();
    const answer = await host.ask("cancel", payload);
    return answer.type === "error" ? seen(answer) : [seen(answer), frames(await exchange.rest())];
  },
  async context_update(payload) {
    const { host } = await guest();
    await host.ask("context_update", { context: "other", key: "other" });
    return seen(await host.ask("context_update", payload));
  },
  async config_update(payload) {
    const { host } = await setup();
    return seen(await host.ask("config_update", payload));
  },
};

/** The same message as a new one. */
function newMessage(payload: Payload): Payload {
  const attaching = new Set(["after_sequence", "run_life", "run_seen"]);
  return Object.fromEntries(Object.entries(payload).filter(([key]) => !attaching.has(key)));
}

describe.each(Object.keys(samples) as FrameType[])("a %s frame", (type) => {
  const observe = outcomes[type] as (payload: Payload) => Promise<Outcome>;
  const cases = absentCases(schemas[type], samples[type] ?? {});

  it.each(cases)("without $field is read as one with null or zero there", async ({ without, same }) => {
    const outcome = await observe(without);
    for (const payload of same) expect(await observe(payload)).toEqual(outcome);
  });
});

describe("a hello frame", () => {
  it.each(absentCases(schemas["hello"], { token: "secret", protocol: 2 }))(
    "without $field is read as one with null or zero there",
    async ({ without, same }) => {
      const { model } = await setup();
      const agent = await launch(model, { token: "secret" });
      const messages = [];
      for (const payload of [without, ...same]) {
        const host = await connectHost(agent.address);
        await host.link.take();
        host.send("hello", "", payload);
        messages.push(seen(await host.link.take()));
      }
      expect(messages[0]).toMatchObject(["error", { code: "hello_refused" }]);
      expect(new Set(messages.map((one) => JSON.stringify(one))).size).toBe(1);
    },
  );
});

describe("a credit frame", () => {
  it.each(absentCases(schemas["credit"], { limit: 7 }))(
    "without $field is read as one with null or zero there: it grants nothing",
    async ({ without, same }) => {
      const { agent, model } = await setup();
      const host = await letIn(agent);
      const exchange = host.message(userSays("hi", { credit: 0 }));
      await model.next();
      for (const payload of [without, ...same]) host.send("credit", exchange.id, payload);
      await host.ask("ping", {});
      expect(exchange.frames.size).toBe(0);
      exchange.credit(1e9);
      expect(await exchange.next("opened")).toMatchObject({ attached: false });
    },
  );
});
