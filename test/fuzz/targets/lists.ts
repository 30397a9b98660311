import { ValinorError } from "../../../src/core/errors.ts";
import { parseFilter } from "../../../src/core/registry/filter.ts";
import { decodePageToken, encodePageToken } from "../../../src/core/registry/page-token.ts";
import { mutateText, pick } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { isAgentId } from "../../../protocol/mod.ts";

const FILTERS = [
  "",
  'id = "alice"',
  "status = RUNNING AND vsock_cid != 3",
  'address = "tcp://127.0.0.1:9000" AND id != "b\\"ob" AND status != FAILED',
  "vsock_cid = 4294967295",
];
const SCOPE = "tenant\0agents\0";
const TOKENS = ["alice", "a.b-c_d", "7", "Zz9"].map((position) => encodePageToken(SCOPE, position));

/** Filters and page tokens: what is wrong with one is INVALID_ARGUMENT, and a token that is taken is one that was given. */
export const lists: Target = {
  name: "filters-and-page-tokens",
  weight: 0.2,
  async open() {
    return {
      make(random) {
        let text = pick([...FILTERS, ...TOKENS], random);
        for (let left = random.below(4); left > 0; left--) text = mutateText(text, random);
        return Buffer.from(text);
      },
      async run(input) {
        const text = input.toString();
        orInvalid(() => parseFilter(text));
        const position = orInvalid(() => decodePageToken(SCOPE, text, isAgentId));
        if (position !== undefined && position !== "" && encodePageToken(SCOPE, position) !== text)
          throw new Finding(`the page token ${text} was taken for ${position}`);
        return 2;
      },
      close: async () => {},
    };
  },
};

function orInvalid<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValinorError && error.reason === "INVALID_ARGUMENT") return undefined;
    throw error;
  }
}
