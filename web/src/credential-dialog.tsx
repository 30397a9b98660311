import { forgetAllRuns } from "./chat/store.ts";
import { credential, credentialWanted, setCredential } from "./credential.ts";
import { Dialog } from "./ui/dialog.tsx";

/** Asks for an API key or token. */
export function CredentialDialog({ onClose }: { readonly onClose: () => void }) {
  const close = () => {
    credentialWanted.value = false;
    onClose();
  };
  return (
    <Dialog title="Sign in" onClose={close}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          const entered = new FormData(event.currentTarget).get("credential");
          setCredential(typeof entered === "string" ? entered : "");
          close();
        }}
      >
        {credentialWanted.value && (
          <p role="alert">
            {credential.value === ""
              ? "The control plane asks who you are."
              : "The control plane says that this credential is not good."}
          </p>
        )}
        <label>
          <span>
            API key or token <span class="muted">(kept in this tab until it is closed)</span>
          </span>
          <input class="input" name="credential" type="password" autocomplete="off" spellcheck={false} />
        </label>
        <div class="buttons">
          {credential.value !== "" && (
            <button
              type="button"
              class="button"
              onClick={() => {
                forgetAllRuns();
                setCredential("");
                close();
              }}
            >
              Sign out
            </button>
          )}
          <button type="submit" class="button primary">
            Use it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
