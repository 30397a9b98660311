import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { createFileRegistry, type DescEnum, fromBinary, getOption, hasOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  error as errorRule,
  error_domain as errorDomain,
  type ErrorRule,
  ErrorRule_Code as Code,
  ErrorRule_CodeSchema as CodeSchema,
  ErrorRule_Retry as Retry,
  ErrorRule_RetrySchema as RetrySchema,
} from "../../gen/ts/valinor/v1/reasons_pb.ts";

const top = join(import.meta.dirname, "../..");
const FILE = "valinor/v1/reasons.proto";
/** Where an enum and its value stand in a file, as descriptor.proto's SourceCodeInfo has it. */
const ENUM = 5;
const VALUE = 2;

/** One reason of proto/valinor/v1/reasons.proto with all that it implies. */
export interface ReasonRow {
  readonly name: string;
  /** What it means: the comment of the value. */
  readonly meaning: string;
  /** Connect's code, as its JSON spells it. */
  readonly code: string;
  /** Status of REST; undefined if only clients give this reason. */
  readonly status: number | undefined;
  readonly text: string;
  readonly retry: "never" | "again" | "attach";
  readonly retryMs: number | undefined;
  /** The agent may have got the message although the call failed. */
  readonly leavesOpen: boolean;
  /** An answer of this code without an ErrorInfo is taken as this reason. */
  readonly bareCode: boolean;
  readonly exitCode: number;
  readonly advice: string;
  readonly cliAdvice: string | undefined;
}

/** What reasons.proto says. */
export interface Reasons {
  /** Domain of their ErrorInfo. */
  readonly domain: string;
  readonly rows: readonly ReasonRow[];
}

/** Reads the reasons in the order of their numbers. Throws if one lacks something, or contradicts itself or another one. */
export function readReasons(): Reasons {
  const buf = join(top, "node_modules/.bin/buf");
  const image = execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-"], {
    cwd: top,
    maxBuffer: 64 * 1024 * 1024,
  });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const reasons = registry.getEnum("valinor.v1.Reason");
  if (reasons === undefined) throw new Error(`${FILE} has no enum Reason`);
  const rows = reasons.values
    .map((value, index) => ({ value, meaning: commentOf(reasons, index) }))
    .filter(({ value }) => value.number !== 0)
    .toSorted((a, b) => a.value.number - b.value.number)
    .map(({ value, meaning }) => {
      const name = value.name.replace(/^REASON_/, "");
      if (!hasOption(value, errorRule)) throw new Error(`${value.name} says nothing but its name`);
      return toRow(name, meaning, getOption(value, errorRule));
    });
  const bare = rows.filter((row) => row.bareCode).map((row) => row.code);
  if (new Set(bare).size !== bare.length) throw new Error("two reasons stand for the same bare code");
  return { domain: getOption(reasons, errorDomain), rows };
}

function commentOf(reasons: DescEnum, index: number): string {
  const path = [ENUM, reasons.file.enums.indexOf(reasons), VALUE, index].join();
  const places = reasons.file.proto.sourceCodeInfo?.location ?? [];
  const found = places.find((place) => place.path.join() === path);
  return (found?.leadingComments ?? "").trim().replaceAll(/\s*\n\s*/g, " ");
}

function toRow(name: string, meaning: string, rule: ErrorRule): ReasonRow {
  const must = (good: boolean, what: string): void => {
    if (!good) throw new Error(`REASON_${name} ${what}`);
  };
  const isServers = rule.httpStatus !== 0;
  must(meaning !== "", "has no comment that says what it means");
  must(rule.code !== Code.UNSPECIFIED, "has no code");
  must(rule.retry !== Retry.UNSPECIFIED, "does not say whether to retry");
  must(!isServers || (rule.httpStatus >= 400 && rule.httpStatus <= 599), "has no status of an error");
  must(isServers === (rule.text !== ""), "needs both a status and a text, or neither");
  must(rule.exitCode >= 1 && rule.exitCode <= 6, "has no exit code of docs/cli.md");
  must(rule.advice !== "", "gives no advice");
  must(!rule.leavesOpen || rule.retry !== Retry.ATTACH, "says twice that the agent may have the message");
  return {
    name,
    meaning,
    code: nameOf(CodeSchema, rule.code),
    status: isServers ? rule.httpStatus : undefined,
    text: rule.text,
    retry: nameOf(RetrySchema, rule.retry) as ReasonRow["retry"],
    retryMs: rule.retryAfterMs === 0 ? undefined : rule.retryAfterMs,
    leavesOpen: rule.leavesOpen || rule.retry === Retry.ATTACH,
    bareCode: rule.bareCode,
    exitCode: rule.exitCode,
    advice: rule.advice,
    cliAdvice: rule.cliAdvice === "" ? undefined : rule.cliAdvice,
  };
}

/** A value's name without its prefix, in lower case. */
function nameOf(type: DescEnum, number: number): string {
  return (type.value[number]?.localName ?? "").toLowerCase();
}
