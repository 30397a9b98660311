import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseSecretKeys } from "../store/vault/vault-keys.ts";
import type { Values } from "./settings.ts";
import { errorText } from "@valinor/protocol";

/** Longest secret in a file of one. */
const SECRET_BYTES = 4 * 1024;

/** A file's text without the white space around it that editors add; a problem names the setting, never the text. */
export function readSecret(name: string, path: string, problems: string[]): string {
  const text = read(name, path, problems)?.trim();
  if (text === undefined) return "";
  if (text !== "" && Buffer.byteLength(text) <= SECRET_BYTES) return text;
  problems.push(`${name} ${path}: must hold a secret of 1 to ${SECRET_BYTES} bytes`);
  return "";
}

/** The keys for secrets: those of the file, then the one of `secrets.key`. */
export function secretKeysOf(values: Values["secrets"], problems: string[]): readonly Buffer[] {
  const { key_file: path, key } = values;
  const text = path === undefined ? undefined : read("secrets.key_file", path, problems);
  return [
    ...(text === undefined ? [] : parse(`secrets.key_file ${path}`, text, problems)),
    ...(key === undefined ? [] : parse("secrets.key", key, problems)),
  ];
}

function parse(name: string, text: string, problems: string[]): Buffer[] {
  try {
    const keys = parseSecretKeys(text);
    if (keys.length === 0) problems.push(`${name}: holds no key`);
    return keys;
  } catch (error) {
    problems.push(`${name}: ${errorText(error)}`);
    return [];
  }
}

/** Certificate and key of the server; undefined if none is configured. */
export function readTls(
  values: Values["server"],
  problems: string[],
): { readonly cert: string; readonly key: string } | undefined {
  const { tls_cert_file: certFile, tls_key_file: keyFile } = values;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    problems.push("server.tls_cert_file and server.tls_key_file: set both or neither");
    return undefined;
  }
  const cert = read("server.tls_cert_file", certFile, problems);
  const key = read("server.tls_key_file", keyFile, problems);
  if (cert === undefined || key === undefined) return undefined;
  if (!matches(cert, key)) {
    problems.push(
      `server.tls_cert_file ${certFile} and server.tls_key_file ${keyFile}: ` +
        "must be a certificate (chain) and its unencrypted private key in PEM",
    );
    return undefined;
  }
  return { cert, key };
}

function matches(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // a certificate or a key that can't be read matches nothing
  }
}

function read(name: string, path: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    problems.push(`${name} cannot be read: ${errorText(error)}`);
    return undefined;
  }
}
