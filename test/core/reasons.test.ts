import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  advice,
  againReasons,
  attachReasons,
  clientReasons,
  exitCodes,
  serverReasons,
} from "../../gen/ts/reasons.ts";
import released from "./released-reasons.json" with { type: "json" };

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("a reason that was released", () => {
  it.each(Object.entries(released))(
    "%s keeps its codes, its text and what clients do about it",
    (reason, row) => {
      const { retryMs, ...now } = {
        retryMs: undefined,
        ...serverReasons[reason as keyof typeof serverReasons],
      };
      const exitCode = exitCodes[reason as keyof typeof exitCodes];
      expect({ ...now, ...(retryMs !== undefined && { retry_ms: retryMs }), exit_code: exitCode }).toEqual(
        row,
      );
    },
  );
});

describe("every reason", () => {
  it("of a server stands in released-reasons.json, so that a change of it is seen", () => {
    expect(Object.keys(released)).toEqual(Object.keys(serverReasons));
  });

  it("has advice that is a sentence", () => {
    expect(Object.entries(advice).filter(([, text]) => !/^[A-Z].*[.]$/.test(text))).toEqual([]);
  });

  it("of a client is not a reason of a server", () => {
    for (const reason of Object.keys(clientReasons)) expect(serverReasons).not.toHaveProperty(reason);
  });
});

describe("the documents", () => {
  const pages = globSync(["docs/*.md", "proto/valinor/v1/agent_*.proto", "clients/ts/README.md"], {
    cwd: root,
  });
  const codes = new Set(Object.values(serverReasons).map((row): string => row.code));

  it("name a reason's Connect code right wherever they name both", () => {
    const pairs = pages.flatMap((page) =>
      [...read(page).matchAll(/\b([a-z_]+)\s+(?:\/\/ )?([A-Z]+(?:_[A-Z]+)+)\b/g)]
        .filter(([, code = "", reason = ""]) => codes.has(code) && Object.hasOwn(serverReasons, reason))
        .map(([, code, reason]) => ({ page, code, reason: reason as keyof typeof serverReasons })),
    );
    expect(pairs.length).toBeGreaterThan(10);
    expect(pairs.filter(({ code, reason }) => serverReasons[reason].code !== code)).toEqual([]);
  });

  it("of the TypeScript client list the reasons that it retries", () => {
    const listed =
      /Retried are lost connections, ([^]*?), unless/.exec(read("clients/ts/README.md"))?.[1] ?? "";
    const expected = [...againReasons, ...attachReasons].filter((reason) => reason !== "CONNECTION_LOST");
    expect([...listed.matchAll(/`([A-Z_]+)`/g)].map(([, reason]) => String(reason)).toSorted()).toEqual(
      expected.toSorted(),
    );
  });
});
