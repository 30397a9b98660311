import { z } from "zod";
import { allPermissions } from "../core/access/authorize.ts";
import { isLoopback } from "@valinor/protocol";

/** Algorithms that an issuer may sign with: asymmetric ones alone, since a shared secret that verifies can also sign. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

/** Most issuers. */
const MAX = 32;

/** What `auth.issuers` must be, for messages. */
export const ISSUERS_RULE = `a list of at most ${MAX} issuers, each with issuer, audience, and jwks_url or jwks_file (docs/security.md)`;

const claim = (fallback: string) => z.string().min(1).max(256).default(fallback);

const issuerSchema = z
  .strictObject({
    issuer: z.string().min(1).max(512),
    audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
    jwks_url: z.url({ protocol: /^https?$/ }).optional(),
    jwks_file: z.string().min(1).optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(["RS256", "ES256", "EdDSA"]),
    tenant_claim: claim("tenant"),
    subject_claim: claim("sub"),
    roles_claim: claim("roles"),
    roles: z.record(z.string(), z.array(z.enum(allPermissions))).optional(),
  })
  .check((context) => {
    const { jwks_url: url, jwks_file: file } = context.value;
    const say = (message: string) => context.issues.push({ code: "custom", message, input: context.value });
    if ((url === undefined) === (file === undefined)) say("needs one of jwks_url and jwks_file");
    else if (url?.startsWith("http:") && !isLoopback(new URL(url).hostname))
      say(
        "jwks_url must be https, but for loopback: whoever can change the keys on their way can be anybody",
      );
  })
  .transform((value) => ({
    issuer: value.issuer,
    audience: typeof value.audience === "string" ? [value.audience] : value.audience,
    jwksUrl: value.jwks_url,
    jwksFile: value.jwks_file,
    algorithms: value.algorithms,
    tenantClaim: value.tenant_claim,
    subjectClaim: value.subject_claim,
    rolesClaim: value.roles_claim,
    roles: value.roles,
  }));

/** `auth.issuers` as the program works with it. */
export const issuersSchema = z
  .array(issuerSchema)
  .max(MAX)
  .check((context) => {
    const names = context.value.map(({ issuer }) => issuer);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice === undefined) return;
    context.issues.push({ code: "custom", message: `names ${twice} twice`, input: context.value });
  });
