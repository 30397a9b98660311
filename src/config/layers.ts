import type { ConfigFile } from "./file.ts";
import { isRecord } from "./file.ts";
import { isOfKubernetes } from "./kubernetes.ts";
import { type Setting, type Settings, settings, type Values } from "./settings.ts";

/** What the command line sets: the keys of the file by section; numbers and lists may be texts, as in the environment. */
export type ConfigFlags = {
  readonly [S in keyof Settings]?: {
    readonly [K in keyof Settings[S]]?: string | number | readonly string[] | undefined;
  };
};

/** One value as someone wrote it. */
interface Written {
  readonly section: string;
  readonly key: string;
  readonly value: unknown;
  /** Who wrote it, for messages. */
  readonly source: string;
}

/** Settings by section and key, for look-ups by text. */
const known: Readonly<Record<string, Readonly<Record<string, Setting<unknown>>>>> = settings;

/**
 * The values that hold: defaults, then the file, the environment and the flags, later ones over earlier ones. Whatever is
 * wrong in any of them is added to `problems`, even if another layer covers it; the values may be used if there is no problem.
 */
export function mergeLayers(
  layers: { file: ConfigFile | undefined; env: NodeJS.ProcessEnv; flags: ConfigFlags; mode: "serve" | "dev" },
  problems: string[],
): Values {
  const values: Record<string, Record<string, unknown>> = {};
  const written = [
    ...defaultsOf(layers.mode),
    ...(layers.file === undefined ? [] : fromFile(layers.file, problems)),
    ...fromEnvironment(layers.env, problems),
    ...fromFlags(layers.flags, problems),
  ];
  for (const item of written) {
    const value = check(item, problems);
    if (value.ok) (values[item.section] ??= {})[item.key] = value.data;
  }
  return values as Values;
}

/** Name of a key's environment variable. */
export function variableOf(section: string, key: string): string {
  return `VALINOR_${section}_${key}`.toUpperCase();
}

function defaultsOf(mode: "serve" | "dev"): Written[] {
  return Object.entries(known).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, { fallback }]) => ({
      section,
      key,
      value: fallback[mode],
      source: "default",
    })),
  );
}

function fromFile(file: ConfigFile, problems: string[]): Written[] {
  const { agents: _, ...sections } = file.content;
  return fromSections(sections, (...keys) => file.where(keys), [...Object.keys(known), "agents"], problems);
}

function fromFlags(flags: ConfigFlags, problems: string[]): Written[] {
  const written = fromSections(flags, () => "flags", Object.keys(known), problems);
  return written
    .filter((item) => item.value !== undefined)
    .map((item) => ({ ...item, value: fromText(item, item.value) }));
}

function fromSections(
  sections: Readonly<Record<string, unknown>>,
  where: (...keys: string[]) => string,
  names: readonly string[],
  problems: string[],
): Written[] {
  return Object.entries(sections).flatMap(([section, keys]) => {
    const expected = known[section];
    if (expected === undefined || !Object.hasOwn(known, section)) {
      problems.push(`${where(section)}: unknown key ${section}; known are ${names.join(", ")}`);
      return [];
    }
    // `server:` with every key commented out.
    if (keys === null || keys === undefined) return [];
    if (!isRecord(keys)) {
      problems.push(`${where(section)}: ${section} must be a mapping of ${Object.keys(expected).join(", ")}`);
      return [];
    }
    return Object.entries(keys).flatMap(([key, value]) => {
      if (Object.hasOwn(expected, key)) return [{ section, key, value, source: where(section, key) }];
      const list = Object.keys(expected).map((name) => `${section}.${name}`);
      problems.push(`${where(section, key)}: unknown key ${section}.${key}; known are ${list.join(", ")}`);
      return [];
    });
  });
}

function fromEnvironment(env: NodeJS.ProcessEnv, problems: string[]): Written[] {
  const variables = new Map(
    Object.entries(known).flatMap(([section, keys]) =>
      Object.keys(keys).map((key) => [variableOf(section, key), { section, key }] as const),
    ),
  );
  const sections = Object.keys(known).map((section) => `VALINOR_${section.toUpperCase()}_`);
  return Object.entries(env).flatMap(([name, text]) => {
    if (isOfKubernetes(name, text)) return [];
    const found = variables.get(name);
    // An empty variable is how compose files and shells leave one unset.
    if (found !== undefined) {
      return text ? [{ ...found, value: fromText(found, text), source: name }] : [];
    }
    const section = sections.find((prefix) => name.startsWith(prefix));
    if (section !== undefined) {
      const names = [...variables.keys()].filter((variable) => variable.startsWith(section));
      problems.push(`${name}: unknown variable; known are ${names.join(", ")}`);
    }
    return [];
  });
}

function fromText(item: { section: string; key: string }, value: unknown): unknown {
  if (typeof value !== "string") return value;
  switch (known[item.section]?.[item.key]?.form) {
    case "number":
      return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    case "flag":
      return value === "true" ? true : value === "false" ? false : value;
    case "json":
      return parseJson(value);
    case "list":
      return value
        .split(",")
        .map((entry) => entry.trim())
        .filter((entry) => entry !== "");
    default:
      return value;
  }
}

/** A text that is no JSON stays what it is, and fails the setting's own check. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text; // the setting's own check says what is wrong with it
  }
}

function check(item: Written, problems: string[]): { ok: true; data: unknown } | { ok: false } {
  const setting = known[item.section]?.[item.key];
  if (setting === undefined) return { ok: false };
  const result = setting.schema.safeParse(item.value);
  if (result.success) return { ok: true, data: result.data };
  const name = `${item.section}.${item.key}`;
  const shown = setting.secret ? "" : ` is ${show(item.value)}:`;
  const [issue] = result.error.issues;
  if (setting.form === "json" && Array.isArray(item.value)) {
    const place = [name, ...(issue?.path ?? [])].join(".");
    problems.push(`${item.source}: ${place}: ${issue?.message ?? `must be ${setting.allowed}`}`);
    return { ok: false };
  }
  const own = issue?.code === "custom" && issue.message.startsWith("must be ") ? issue.message : undefined;
  problems.push(`${item.source}: ${name}${shown} ${own ?? `must be ${setting.allowed}`}`);
  return { ok: false };
}

/** A value for a message: JSON, at most 80 characters of it. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
