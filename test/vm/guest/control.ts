import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { startScriptedModel } from "../../../dev/model/scripted-model.ts";
import { listen } from "../../../protocol/transport/listen.ts";
import { CONTROL_PORT } from "./ports.ts";

// In the guest, beside the agent: the model that it calls, and a port on which a test asks for one thing a line.

const model = await startScriptedModel({ port: 8081, wordMs: 0 });

function carryOut(command: string): unknown {
  switch (command) {
    case "ping":
      return null;
    case "model": {
      const { calls, active, aborted, finished } = model;
      return { calls, active, aborted, finished };
    }
    case "kill-agent": {
      const pid = Number(readFileSync("/run/agent.pid", "utf8"));
      process.kill(pid, "SIGKILL");
      return { pid };
    }
    default:
      throw new Error(`unknown command ${command}`);
  }
}

function serve(socket: Duplex): void {
  createInterface({ input: socket }).on("line", (command) => {
    let answer: object;
    try {
      answer = { value: carryOut(command) };
    } catch (error) {
      answer = { error: String(error) };
    }
    socket.write(`${JSON.stringify(answer)}\n`);
  });
}

await listen({ kind: "vsock", cid: 0xffffffff, port: CONTROL_PORT }, serve);
console.log("control listening");
