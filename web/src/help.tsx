import { Dialog } from "./ui/dialog.tsx";

const keys = [
  ["/", "to the filter of the agents"],
  ["Arrow keys, Home, End", "through the agents"],
  ["Enter", "opens the agent; in the filter, the first one"],
  ["Enter", "sends the message"],
  ["Shift+Enter", "begins a line of the message"],
  ["Escape", "cancels the answer, or closes a dialog"],
  ["Ctrl+Enter", "pushes the configuration"],
  ["?", "this list"],
] as const;

/** The keys. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <div key={text} class="fact">
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <div class="buttons">
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
