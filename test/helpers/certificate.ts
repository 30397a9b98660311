import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "./cleanup.ts";

/** A certificate for localhost and 127.0.0.1 that signs itself, valid for two days. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Both in PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate; its files are removed after the last test of the file. */
export function makeCertificate(): TestCertificate {
  const dir = tempDir();
  const [keyFile, certFile] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", keyFile, "-out", certFile], {
    stdio: "ignore",
  });
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}
