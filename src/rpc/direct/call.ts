import { Code, ConnectError } from "@connectrpc/connect";
import { ClientDeparture } from "../../core/departure.ts";
import { onCut } from "../../core/lifecycle.ts";
import type { Caller } from "../../core/types.ts";
import { judge } from "../messages/adapter.ts";
import { failure, refusalHeaders, type RpcServices, throughDoor } from "../unary.ts";
import type { DirectMethod } from "./method.ts";

/** The request and the answer of a call as its protocol has them. */
export interface Wire {
  /** Begins to read the request: hands its message to `take`, and then calls `complete`; or `refuse`. */
  receive(call: DirectCall): void;
  /** Sends the answer. Does nothing if the client has left. */
  answer(message: Uint8Array | string): void;
  /** Sends an error. Does nothing if the client has left. */
  refuse(error: ConnectError, headers: Readonly<Record<string, string>>): void;
}

/** What the headers of a request say of its call. */
export interface CallHeaders {
  readonly authorization: string | undefined;
  /** Another tenant that the caller works on. */
  readonly tenant: string | undefined;
  /** Milliseconds that the call may take; undefined: no deadline. */
  readonly timeoutMs: number | undefined;
}

/**
 * A unary call on its direct way, whatever it speaks: the gate, the bounds and the rules of its message, the core, the answer. In the same
 * order and with the same words as the library's pipeline with our adapter around it (test/rpc/unary-ways.test.ts compares the two), but
 * without a promise, a signal and a web object for every step.
 */
export class DirectCall extends ClientDeparture {
  readonly #services: RpcServices;
  readonly #method: DirectMethod;
  readonly #json: boolean;
  readonly #wire: Wire;
  #deadline: NodeJS.Timeout | undefined;
  #forgetCut: (() => void) | undefined;
  #caller: Caller | undefined;
  #request: object | undefined;
  /** It was answered, or its client has left. */
  #isOver = false;

  constructor(services: RpcServices, method: DirectMethod, json: boolean, wire: Wire) {
    super();
    this.#services = services;
    this.#method = method;
    this.#json = json;
    this.#wire = wire;
  }

  /** Asks the gate, and reads the request if the caller may come in. */
  begin({ authorization, tenant, timeoutMs }: CallHeaders): void {
    if (timeoutMs !== undefined) this.#setDeadline(timeoutMs);
    try {
      const known = this.#services.identify(authorization, tenant);
      const caller = throughDoor(this.#services, this.#method.door, known);
      if (!(caller instanceof Promise)) return this.#enter(caller);
      caller.then(
        (admitted) => this.#enter(admitted),
        (error: unknown) => this.#turnAway(error),
      );
    } catch (error) {
      this.#turnAway(error);
    }
  }

  /** A message of the request came, whole and not compressed. */
  take(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#request = this.#method.read(bytes, this.#json);
    } catch (error) {
      this.refuse(error);
    }
  }

  /** The request has ended, after its message. */
  complete(): void {
    const request = this.#request;
    if (this.#isOver || request === undefined) return;
    if (this.#method.keepsRules(request)) return this.#run(request);
    judge(this.#method.desc, this.#method.toMessage(request)).then(
      () => this.#run(request),
      (error: unknown) => this.refuse(error),
    );
  }

  /** Ends the call with an error that is not the core's. */
  refuse(error: unknown, headers: Readonly<Record<string, string>> = {}): void {
    if (!this.#end()) return;
    const known = error instanceof ConnectError ? error : internal(error);
    this.#wire.refuse(known, headers);
  }

  /** The client has left. Does nothing after the end. */
  left(): void {
    if (this.#end()) this.gone(clientLeft);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  #setDeadline(ms: number): void {
    const pass = () => this.gone(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    if (ms <= 0) pass();
    else this.#deadline = setTimeout(pass, ms);
  }

  #enter(caller: Caller): void {
    if (this.#isOver) return;
    this.#caller = caller;
    this.#wire.receive(this);
  }

  #turnAway(error: unknown): void {
    this.refuse(failure(this.#services, error, this), refusalHeaders(error));
  }

  #run(request: object): void {
    if (this.#isOver) return;
    const { lifecycle } = this.#services;
    try {
      const answer = this.#method.call(this.#caller as Caller, request, this);
      answer.then(
        (value) => this.#answer(value),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      return this.#fail(error);
    }
    if (lifecycle !== undefined) this.#forgetCut = onCut(lifecycle, (error) => this.#fail(error));
  }

  #answer(value: unknown): void {
    if (this.#isOver) return;
    let message: Uint8Array | string;
    try {
      message = this.#method.write(value, this.#json);
    } catch (error) {
      return this.refuse(error);
    }
    this.#end();
    this.#wire.answer(message);
  }

  #fail(error: unknown): void {
    // Also for a client that has left: what is the server's own fault is told to the operator.
    const known = failure(this.#services, error, this);
    this.refuse(known);
  }

  /** False if it is over already. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#forgetCut?.();
    return true;
  }
}

/** Why the signal of a call aborts whose client is gone. One for all: an error of its own costs more than the rest of the abort. */
const clientLeft = new Error("the client has left");

function internal(cause: unknown): ConnectError {
  return new ConnectError("internal error", Code.Internal, undefined, undefined, cause);
}
