/**
 * Writes docs/api.md from the comments and rules of proto/valinor/v1: `node scripts/docs/api.ts`; with `--check` it fails if the
 * page is not what it would write.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import {
  field as fieldRules,
  type FieldRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const top = join(import.meta.dirname, "../..");
const page = join(top, "docs/api.md");
const PACKAGE = "valinor.v1";

/** Where a declaration stands in its file, as descriptor.proto's SourceCodeInfo has it. */
const paths = {
  message: 4,
  enum: 5,
  service: 6,
  method: 2,
  field: 2,
  nestedMessage: 3,
  nestedEnum: 4,
  value: 2,
};

/** The comment before a declaration, its lines joined. */
function comment(file: DescFile, path: readonly number[]): string {
  const location = file.proto.sourceCodeInfo?.location.find((item) => item.path.join() === path.join());
  return (location?.leadingComments ?? "").trim().replaceAll(/\s*\n\s*/g, " ");
}

function pathOfMessage(message: DescMessage): number[] {
  const { parent } = message;
  if (parent === undefined) return [paths.message, message.file.messages.indexOf(message)];
  return [...pathOfMessage(parent), paths.nestedMessage, parent.nestedMessages.indexOf(message)];
}

function pathOfEnum(type: DescEnum): number[] {
  const { parent } = type;
  if (parent === undefined) return [paths.enum, type.file.enums.indexOf(type)];
  return [...pathOfMessage(parent), paths.nestedEnum, parent.nestedEnums.indexOf(type)];
}

function anchor(name: string): string {
  return name.toLowerCase().replaceAll(".", "");
}

/** A type's name within the package, linked to its section if it is of the package. */
function linked(type: DescMessage | DescEnum): string {
  if (!type.typeName.startsWith(`${PACKAGE}.`)) return `\`${type.typeName}\``;
  const name = type.typeName.slice(PACKAGE.length + 1);
  return `[${name}](#${anchor(name)})`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return ScalarType[field.scalar].toLowerCase();
    case "message":
      return linked(field.message);
    case "enum":
      return linked(field.enum);
    case "list": {
      const item =
        field.listKind === "scalar"
          ? ScalarType[field.scalar].toLowerCase()
          : linked(field.listKind === "enum" ? field.enum : field.message);
      return `list of ${item}`;
    }
    case "map":
      return "map";
  }
}

/** The rules that say more than a comment usually does. */
function rulesOf(field: DescField): string {
  if (!hasOption(field, fieldRules)) return "";
  const rules: FieldRules = getOption(field, fieldRules);
  const found = rules.required ? ["required"] : [];
  if (rules.type.case === "string") {
    const { pattern, maxBytes, in: values } = rules.type.value;
    if (pattern !== "") found.push(`\`${pattern.replaceAll("|", "\\|")}\``);
    if (maxBytes !== 0n) found.push(`at most ${maxBytes} bytes`);
    if (values.length > 0) found.push(`one of ${values.map((value) => `\`"${value}"\``).join(", ")}`);
  }
  return found.join(", ");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function methodLines(method: DescMethod, service: DescService): string[] {
  const path = [paths.service, service.file.services.indexOf(service), paths.method];
  const text = comment(service.file, [...path, service.methods.indexOf(method)]);
  const stream = method.methodKind === "server_streaming" ? "stream of " : "";
  const get = method.idempotency === Level.NO_SIDE_EFFECTS ? " No side effects: GET works too." : "";
  return [
    `### ${service.name}.${method.name}`,
    "",
    `\`POST /${service.typeName}/${method.name}\`: ${linked(method.input)} → ${stream}${linked(method.output)}.${get}`,
    "",
    text,
    "",
  ];
}

function serviceLines(service: DescService): string[] {
  const text = comment(service.file, [paths.service, service.file.services.indexOf(service)]);
  const methods = service.methods.flatMap((method) => methodLines(method, service));
  return [`## ${service.name}`, "", text, "", ...methods];
}

function messageLines(message: DescMessage): string[] {
  const path = pathOfMessage(message);
  const rows = message.fields.map((field, index) => {
    const text = comment(message.file, [...path, paths.field, index]);
    const choice = field.oneof === undefined ? "" : ` One of \`${field.oneof.name}\`.`;
    const rules = rulesOf(field);
    const name = field.jsonName === field.name ? field.name : `${field.name}\`, \`${field.jsonName}`;
    return `| \`${name}\` | ${typeOf(field)} | ${cell(text)}${choice}${rules === "" ? "" : ` (${rules})`} |`;
  });
  const table = rows.length === 0 ? [] : ["| field | type | what it is |", "|---|---|---|", ...rows, ""];
  const name = message.typeName.slice(PACKAGE.length + 1);
  const nested = [...message.nestedEnums.flatMap(enumLines), ...message.nestedMessages.flatMap(messageLines)];
  return [`### ${name}`, "", comment(message.file, path), "", ...table, ...nested];
}

function enumLines(type: DescEnum): string[] {
  const path = pathOfEnum(type);
  const rows = type.values.map((value, index) => {
    const text = comment(type.file, [...path, paths.value, index]);
    return `| \`${value.name}\` | ${value.number} | ${cell(text)} |`;
  });
  const name = type.typeName.slice(PACKAGE.length + 1);
  return [
    `### ${name}`,
    "",
    comment(type.file, path),
    "",
    "| value | number | meaning |",
    "|---|---|---|",
    ...rows,
    "",
  ];
}

function render(): string {
  const buf = join(top, "node_modules/.bin/buf");
  const image = execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-"], {
    cwd: top,
    maxBuffer: 64 * 1024 * 1024,
  });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const files = [...registry.files]
    // errors.md shows the reasons.
    .filter((file) => file.proto.package === PACKAGE && file.name !== "valinor/v1/reasons")
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const lines = [
    "# API",
    "",
    "Made by `npm run docs:api` from the comments of `proto/valinor/v1`: change those. Every call is `POST` of JSON or protobuf to its path",
    "(Connect), or the same over gRPC and gRPC-Web. JSON has a field's camelCase name and takes its proto name as well.",
    "[errors.md](errors.md) has the errors, [rest.md](rest.md) the REST routes, [clients.md](clients.md) a client for each language.",
    "",
    ...files.flatMap((file) => file.services.flatMap(serviceLines)),
    "## Messages",
    "",
    ...files.flatMap((file) => file.messages.flatMap(messageLines)),
    "## Enums",
    "",
    ...files.flatMap((file) => file.enums.flatMap(enumLines)),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

const text = render();
if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") === text) process.exit(0);
  process.stderr.write("docs/api.md is not what `npm run docs:api` writes: run it, and commit the page\n");
  process.exit(1);
}
writeFileSync(page, text);
