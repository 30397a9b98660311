/** What the first words of `valinor dev` are about. */
export interface DevPlace {
  /** Of the control plane. */
  readonly url: string;
  readonly agentId: string;
  /** Where the agent finds its model. */
  readonly modelUrl: string;
  readonly dir: string;
}

/** The text that `valinor dev` prints once everything runs: commands to copy, and how to stop. */
export function devWelcome({ url, agentId, modelUrl, dir }: DevPlace): string {
  const post = "curl -H 'content-type: application/json' -d";
  return `
Valinor is ready at ${url}, with an agent named ${agentId}. Its model is at ${modelUrl}.

Open the console in a browser:
  ${url}/console

Send a message:
  ${post} '{"agentId":"${agentId}","message":{"role":"user","content":"hello"}}' ${url}/valinor.v1.AgentProxy/SendMessage

Stream the answer as server-sent events:
  curl -N -G --data-urlencode 'message={"role":"user","content":"!words 20"}' ${url}/agents/${agentId}/stream

Tell the agent something that it sees with every message:
  ${post} '{"agentId":"${agentId}","context":"You live in a microVM."}' ${url}/valinor.v1.AgentProxy/PushContext

Stream over Connect, gRPC or gRPC-Web, typed by the server's reflection:
  npx buf curl --http2-prior-knowledge -d '{"agentId":"${agentId}","message":{"role":"user","content":"!words 20"}}' ${url}/valinor.v1.AgentProxy/Stream

Data is kept in ${dir}. Ctrl-C stops everything.
`;
}
