import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCommand, UsageError } from "../../../agent/settings/flags.ts";
import { temporaryDir } from "../setup.ts";

function file(text: string): string {
  const path = join(temporaryDir(), "secret");
  writeFileSync(path, text);
  return path;
}

describe("the command line", () => {
  it("has the defaults of the first generation", () => {
    expect(parseCommand([])).toMatchObject({
      kind: "run",
      options: {
        address: { kind: "vsock", port: 1024 },
        openclawUrl: "http://localhost:8081",
        insecure: false,
        token: undefined,
        bounds: { drainMs: 30_000 },
      },
    });
  });

  it.each([
    [[], {}, { stateDir: "/var/lib/valinor-agent", stateDirByDefault: true }],
    [["--state-dir", "none"], {}, { stateDir: undefined }],
    [["--state-dir", "/s"], { STATE_DIRECTORY: "/unit" }, { stateDir: "/s" }],
    [[], { STATE_DIRECTORY: "/unit:/other" }, { stateDir: "/unit" }],
    [["--transport", "tcp", "--insecure"], { STATE_DIRECTORY: "/unit" }, { stateDir: "/unit" }],
    [["--transport", "tcp", "--insecure"], { STATE_DIRECTORY: "" }, { stateDir: undefined }],
    [["--transport", "unix", "--path", "/s", "--insecure"], {}, { stateDir: undefined }],
  ])("with %j and %j keeps its state in %j", (argv, env, wanted) => {
    const command = parseCommand(argv, env);
    if (command.kind !== "run") throw new Error("it does not run");
    const { stateDir, stateDirByDefault } = command.options;
    expect({ stateDir, ...(stateDirByDefault !== undefined && { stateDirByDefault }) }).toEqual(wanted);
  });

  it("says everything there is to say", () => {
    const argv = ["--transport", "tcp", "--port", "0", "--host", "::1", "--insecure", "--state-dir", "/s"];
    argv.push("--openclaw-url", "https://oc/x", "--agent-id", "a-1", "--drain-seconds", "5");
    argv.push("--server-kind", "openai");
    argv.push("--token-file", file("link-secret\n"), "--openclaw-token-file", file(" oc-secret "));
    expect(parseCommand(argv)).toEqual({
      kind: "run",
      options: {
        address: { kind: "tcp", host: "::1", port: 0 },
        openclawUrl: "https://oc/x",
        serverKind: "plain",
        openclawToken: "oc-secret",
        token: "link-secret",
        insecure: true,
        stateDir: "/s",
        agentId: "a-1",
        bounds: { drainMs: 5_000 },
      },
    });
    expect(parseCommand(["--transport", "unix", "--path", "/run/a.sock"])).toMatchObject({
      options: { address: { kind: "unix", path: "/run/a.sock" } },
    });
  });

  it.each([["--help"], ["-h"], ["--version"]])("asks with %s", (flag) => {
    expect(parseCommand([flag]).kind).toBe(flag === "--version" ? "version" : "help");
  });

  it.each([
    [["--bogus"], "bogus"],
    [["extra"], "extra"],
    [["--transport", "pigeon"], "pigeon"],
    [["--transport", "unix"], "--path"],
    [["--transport", "unix", "--path", "relative.sock"], "absolute"],
    [["--transport", "tcp", "--port", "65536"], "--port"],
    [["--transport", "tcp", "--port", "0x10"], "--port"],
    [["--port", "0"], "--port"],
    [["--drain-seconds", "soon"], "--drain-seconds"],
    [["--openclaw-url", "localhost:8081"], "--openclaw-url"],
    [["--openclaw-url", "ftp://x"], "--openclaw-url"],
    [["--openclaw-url", "http://user:pass@x"], "credentials"],
    [["--server-kind", "ollama"], "auto, openclaw or openai, not ollama"],
    [["--token-file", "/does/not/exist"], "--token-file"],
  ])("is refused if it is wrong: %j", (argv, told) => {
    expect(() => parseCommand(argv)).toThrow(UsageError);
    expect(() => parseCommand(argv)).toThrow(told);
  });

  it.each(["", " \n", "two words", "tab\there"])("refuses a token file with %j", (text) => {
    expect(() => parseCommand(["--token-file", file(text)])).toThrow("holds no token");
  });
});
