/**
 * The grammar of names: what may be the id of an agent or a tenant, and what may name a request, a conversation or a context entry.
 * proto/valinor/v1 says the same of its fields, and a test holds the two together.
 */

/** The id of an agent or a tenant: 1 to 63 letters, digits, dots, underscores and hyphens, the first a letter or digit. */
const ID = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,62}";
/** The name of a request, a conversation or a context entry: 1 to 128 letters, digits, dots, underscores, colons and hyphens. */
const NAME = "[A-Za-z0-9._:\\-]{1,128}";

/** Source of a regular expression that an agent's id matches whole; an input's `pattern` takes it, as do larger expressions. */
export const AGENT_ID_PATTERN = ID;
/** The same of a request's, a conversation's or a context entry's name. */
export const NAME_PATTERN = NAME;

const id = new RegExp(`^${ID}$`);
const name = new RegExp(`^${NAME}$`);

/** Says whether a text can be the id of an agent. */
export function isAgentId(text: string): boolean {
  return id.test(text);
}

/** Says whether a text can name a tenant: tenants are named as agents are. */
export function isTenant(text: string): boolean {
  return id.test(text);
}

/** Says whether a text can name a request, a conversation or a context entry. */
export function isName(text: string): boolean {
  return name.test(text);
}

/** Says whether a text can name a tool that a client runs itself: 1 to 64 letters, digits, underscores and hyphens, as OpenAI has them. */
export function isToolName(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

/** What `isAgentId` and `isTenant` ask for, as the end of a sentence that begins with "must be". */
export const ID_RULE =
  "a text of at most 63 letters, digits, '.', '_' and '-' that begins with a letter or digit";
/** What `isName` asks for, in the same way. */
export const NAME_RULE = "1 to 128 of A-Z a-z 0-9 . _ : -";
