/** Kinds of failure to connect, by what a person has to do about them. */
export type ConnectFault =
  | "refused"
  | "unknown_host"
  | "no_route"
  | "timeout"
  | "not_http"
  | "not_tls"
  | "bad_certificate"
  | "reset";

const faults: Readonly<Record<string, ConnectFault>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unknown_host",
  EAI_AGAIN: "unknown_host",
  EHOSTUNREACH: "no_route",
  ENETUNREACH: "no_route",
  EADDRNOTAVAIL: "no_route",
  ETIMEDOUT: "timeout",
  ECONNRESET: "reset",
  EPIPE: "reset",
  EPROTO: "not_tls",
  CERT_HAS_EXPIRED: "bad_certificate",
  CERT_NOT_YET_VALID: "bad_certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "bad_certificate",
  DEPTH_ZERO_SELF_SIGNED_CERT: "bad_certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "bad_certificate",
  UNABLE_TO_GET_ISSUER_CERT: "bad_certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "bad_certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: "bad_certificate",
};

/** What kept a connection from being made, and its code; undefined if the error tells of none. */
export function connectFault(error: unknown): { fault: ConnectFault; code: string } | undefined {
  for (const code of codesOf(error)) {
    const fault = Object.hasOwn(faults, code) ? faults[code] : faultOfFamily(code);
    if (fault !== undefined) return { fault, code };
  }
  return undefined;
}

/** What it means, as the end of a sentence, and what to do. */
export function explainFault(fault: ConnectFault, code: string, server: URL): { what: string; hint: string } {
  switch (fault) {
    case "refused":
      return {
        what: "nothing listens there",
        hint: "Start the server (valinor serve, or valinor dev), or name it with --server or VALINOR_SERVER.",
      };
    case "unknown_host":
      return { what: `the name ${server.hostname} can't be resolved`, hint: "Check --server." };
    case "no_route":
      return { what: "there is no route to it", hint: "Check --server and the network." };
    case "timeout":
      return { what: "it does not answer", hint: "Check --server; a firewall may drop what is sent." };
    case "reset":
      return {
        what: "it closed the connection without an answer",
        hint: `Another program may have the port, or it speaks ${server.protocol === "https:" ? "no TLS" : "TLS: try https://"}.`,
      };
    case "not_http":
      return {
        what: "what listens there does not speak HTTP",
        hint: "Another program has the port; check --server.",
      };
    case "not_tls":
      return {
        what: `what listens there does not speak TLS (${code})`,
        hint: "Name it with http:// instead of https://.",
      };
    case "bad_certificate":
      return {
        what: `its certificate is not trusted here (${code})`,
        hint: "Name the CA that signed it with --ca-file, and the server by the name in its certificate.",
      };
  }
}

/** Codes of an error and of what caused it, the nearest first. */
function* codesOf(error: unknown): Generator<string> {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") yield at.code;
    // An address of several families: one failure each.
    if (at instanceof AggregateError && at.errors.length > 0) yield* codesOf(at.errors[0]);
  }
}

function faultOfFamily(code: string): ConnectFault | undefined {
  if (code.startsWith("HPE_")) return "not_http";
  if (code.startsWith("ERR_SSL_")) return "not_tls";
  return undefined;
}
