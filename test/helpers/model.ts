import {
  startScriptedModel,
  type ScriptedModel,
  type ScriptedModelOptions,
} from "../../dev/model/scripted-model.ts";
import { afterFile } from "./cleanup.ts";

/** Starts a scripted model that answers without pauses unless told otherwise; it ends after the last test of the file. */
export async function startModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const model = await startScriptedModel({ wordMs: 0, ...options });
  afterFile(() => model.close());
  return model;
}
