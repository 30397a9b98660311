import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentRegistry } from "@valinor/proto/valinor/v1/agent_registry";
import { credential, credentialWanted } from "./credential.ts";

/** Milliseconds that a unary call may take. The server's own bounds are tighter; this one is for a server that hangs. */
export const CALL_MS = 30_000;

const withCredential: Interceptor = (next) => async (request) => {
  const used = credential.value;
  if (used !== "") request.header.set("Authorization", `Bearer ${used}`);
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...response, message: watched(response.message, used) };
  } catch (error) {
    noteRefusal(error, used);
    throw error;
  }
};

/** A stream's refusal comes after its headers. */
async function* watched<T>(messages: AsyncIterable<T>, used: string): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    noteRefusal(error, used);
    throw error;
  }
}

/** An older credential's refusal says nothing of the one that was entered since. */
function noteRefusal(error: unknown, used: string): void {
  const refused = error instanceof ConnectError && error.code === Code.Unauthenticated;
  if (refused && used === credential.value) credentialWanted.value = true;
}

const transport = createConnectTransport({ baseUrl: location.origin, interceptors: [withCredential] });

/** Messages, configuration and status of agents. */
export const proxy = createClient(AgentProxy, transport);

/** The agents, and what their configurations were. */
export const registry = createClient(AgentRegistry, transport);
