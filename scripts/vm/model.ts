import { startScriptedModel } from "../../dev/model/scripted-model.ts";

// In the guest, where OpenClaw would listen.
const model = await startScriptedModel({ port: 8081 });
console.log(`scripted model listening on ${model.url}`);
