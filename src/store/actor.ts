/** Who does something, for revisions and the audit log. */
export interface Actor {
  /** The user or service; `valinor` for what the control plane does by itself. */
  readonly subject: string;
  /** What it proved itself with: `key:ID`, `jwt:ISSUER`, `local`, `config`, `cli` or `valinor`. Never the secret. */
  readonly credential: string;
}
