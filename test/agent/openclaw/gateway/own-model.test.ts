import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createOwnModel } from "../../../../agent/openclaw/gateway/own-model.ts";
import { tempDir } from "../../../helpers/cleanup.ts";

const FILE = "openclaw-model.json";

it("remembers OpenClaw's own model in the state directory, and that it had none", async () => {
  const dir = tempDir();
  for (const model of ["openai/gpt", null, undefined]) {
    await createOwnModel(dir).set(model);
    expect(await createOwnModel(dir).get()).toBe(model);
  }
  expect(readFileSync(join(dir, FILE), "utf8")).toBe("{}");
});

it("remembers the model until the agent ends if there is no state directory", async () => {
  const ownModel = createOwnModel(undefined);
  expect(await ownModel.get()).toBeUndefined();
  await ownModel.set("openai/gpt");
  expect(await ownModel.get()).toBe("openai/gpt");
});

it.each(["", "{", "7", '{"model":7}'])("knows nothing of a file that holds %j", async (text) => {
  const dir = tempDir();
  writeFileSync(join(dir, FILE), text);
  expect(await createOwnModel(dir).get()).toBeUndefined();
});

it("says so if the file can't be read: the model would be lost otherwise", async () => {
  const dir = tempDir();
  mkdirSync(join(dir, FILE));
  await expect(createOwnModel(dir).get()).rejects.toThrow("EISDIR");
});
