import type { IncomingMessage } from "node:http";

/**
 * Reads a request's body to its end. Calls back once: with its bytes, or with undefined, as soon as there are more than `most`; what comes
 * then is for whoever ends the request. Never, if the client leaves before. The answer ends the reading before that.
 */
export function readWhole(
  req: IncomingMessage,
  most: number,
  done: (bytes: Buffer | undefined) => void,
): () => void {
  let first: Buffer | undefined;
  let others: Buffer[] | undefined;
  let size = 0;
  const take = (part: Buffer) => {
    size += part.length;
    if (size > most) {
      stop();
      req.pause();
      return done(undefined);
    }
    if (first === undefined) first = part;
    else (others ??= [first]).push(part);
  };
  const end = () => {
    stop();
    done(others === undefined ? (first ?? EMPTY) : Buffer.concat(others));
  };
  const stop = () => {
    req.off("data", take);
    req.off("end", end);
  };
  req.on("data", take);
  req.on("end", end);
  return stop;
}

const EMPTY: Buffer = Buffer.alloc(0);
