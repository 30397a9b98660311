import { render } from "preact";
import { App } from "./app.tsx";
import { startWatch } from "./agents/watch.ts";
import { restoreRuns } from "./chat/store.ts";
import { applyTheme } from "./ui/theme.ts";

const place = document.getElementById("app");
if (place === null) throw new Error("the page has no place for the console");
applyTheme();
startWatch();
restoreRuns();
render(<App />, place);
