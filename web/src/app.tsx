import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { AgentPage } from "./agents/page.tsx";
import { AgentList } from "./agents/list.tsx";
import { watchHealth } from "./agents/watch.ts";
import { CredentialDialog } from "./credential-dialog.tsx";
import { credential, credentialWanted } from "./credential.ts";
import { Help } from "./help.tsx";
import { navigate, route } from "./route.ts";
import { Badge } from "./ui/notice.tsx";
import { nextTheme, theme } from "./ui/theme.ts";

/** The whole console. */
export function App() {
  const helping = useSignal(false);
  const signing = useSignal(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return;
      if (event.key === "/") focusFilter(event);
      if (event.key === "?") helping.value = true;
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const place = route.value;
  useEffect(() => {
    document.title = place.view === "agent" ? `${place.id} - Valinor` : "Valinor";
  }, [place]);
  return (
    <>
      <header class="top">
        <a class="brand" href="#/">
          Valinor
        </a>
        <Connection />
        <span class="spacer" />
        <button type="button" class="button quiet" onClick={() => (signing.value = true)}>
          {credential.value === "" ? "Sign in" : "Signed in"}
        </button>
        <button type="button" class="button quiet" onClick={nextTheme}>
          Theme: {theme.value}
        </button>
        <button
          type="button"
          class="button quiet"
          aria-label="Keys"
          aria-keyshortcuts="?"
          onClick={() => (helping.value = true)}
        >
          ?
        </button>
      </header>
      {place.view === "agent" ? <AgentPage key={place.id} id={place.id} tab={place.tab} /> : <AgentList />}
      {helping.value && <Help onClose={() => (helping.value = false)} />}
      {(signing.value || credentialWanted.value) && (
        <CredentialDialog onClose={() => (signing.value = false)} />
      )}
    </>
  );
}

/** How the page's view of the agents is doing. */
function Connection() {
  const health = watchHealth.value;
  const label =
    health.kind === "live" ? (
      <Badge kind="good">live</Badge>
    ) : health.kind === "lost" ? (
      <span title={health.problem.text}>
        <Badge kind="bad">connecting again: {health.problem.reason}</Badge>
      </span>
    ) : (
      <Badge kind="warn">connecting</Badge>
    );
  return (
    <span class="connection" role="status">
      {label}
    </span>
  );
}

function focusFilter(event: KeyboardEvent): void {
  event.preventDefault();
  const focus = () => document.querySelector<HTMLElement>("#filter")?.focus();
  if (route.value.view === "list") return focus();
  navigate("#/");
  // The list is drawn after the address has changed.
  requestAnimationFrame(() => requestAnimationFrame(focus));
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, dialog") !== null;
}
