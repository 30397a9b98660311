import { match, rejects } from "node:assert/strict";
import { dial } from "../../../protocol/transport/dial.ts";
import { listen } from "../../../protocol/transport/listen.ts";
import type { Case } from "./results.ts";

/** Cases for a machine without vsock. */
export const absent: readonly Case[] = [
  {
    name: "listening without vsock says what is missing",
    async run() {
      await rejects(
        listen({ kind: "vsock", cid: 0xffffffff, port: 1024 }, () => {}),
        (error: Error) => {
          match(error.message, /cannot listen on vsock port 1024: this machine has no vsock: .*EAFNOSUPPORT/);
          return true;
        },
      );
    },
  },
  {
    name: "dialling without vsock says what is missing",
    async run() {
      const dialled = dial({ kind: "vsock", cid: 3, port: 1024 }, AbortSignal.timeout(5_000));
      await rejects(dialled, { code: "unreachable", message: /this machine has no vsock/ });
    },
  },
];
