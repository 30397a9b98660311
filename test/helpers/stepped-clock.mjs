// Preloaded into a program (`--import`): its wall clock is off by as many milliseconds as the file STEPPED_CLOCK says, read anew at each
// look. Its monotonic clock is left alone, as by a person who sets the date.
import { readFileSync } from "node:fs";

const RealDate = Date;
const real = Date.now;
const offset = () => Number(readFileSync(process.env.STEPPED_CLOCK, "utf8"));
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(real() + offset());
    else super(...given);
  }
  static now() {
    return real() + offset();
  }
};
