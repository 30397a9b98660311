import { expect, it } from "vitest";
import { cancelledBy, modelSilent, tookTooLong } from "../../../agent/runs/endings.ts";

it("an ending says why in words, with the bound that was passed", () => {
  expect(cancelledBy("enough")).toEqual({ code: "cancelled", message: "enough" });
  expect(modelSilent({ modelSilenceMs: 1_500 })).toEqual({
    code: "model_timeout",
    message: "the model was silent for 1.5 s",
  });
  expect(tookTooLong({ runMs: 60_000 })).toEqual({
    code: "run_timeout",
    message: "the run was not over after 60 s",
  });
});
