/** Tells whether a JSON object or list that comes in pieces is complete. */
export interface JsonEnd {
  /** Looks at the next piece. */
  add(text: string): void;
  /** True while what came is one whole object or list. */
  readonly reached: boolean;
}

/** Makes one. Each character is looked at once, and nothing is kept. */
export function createJsonEnd(): JsonEnd {
  let depth = 0;
  let begun = false;
  let quoted = false;
  let escaped = false;
  return {
    add(text) {
      for (let i = 0; i < text.length; i++) {
        const unit = text[i];
        if (escaped) escaped = false;
        else if (unit === '"') quoted = !quoted;
        else if (quoted) escaped = unit === "\\";
        else if (unit === "{" || unit === "[") {
          depth++;
          begun = true;
        } else if (unit === "}" || unit === "]") depth--;
      }
    },
    get reached() {
      return begun && !quoted && depth === 0;
    },
  };
}
