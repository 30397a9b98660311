/** localStorage or sessionStorage if the browser allows it, otherwise one that lasts as long as the page. */
export function storage(kind: "local" | "session"): Storage | MemoryBox {
  try {
    const box = kind === "local" ? localStorage : sessionStorage;
    box.getItem("");
    return box;
  } catch {
    return createMemoryBox(); // a browser that keeps nothing throws at the first touch
  }
}

type MemoryBox = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

function createMemoryBox(): MemoryBox {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
    key: (index) => [...values.keys()][index] ?? null,
    get length() {
      return values.size;
    },
  };
}

/** Reads a JSON list of texts or objects from storage; `undefined` entries are left out, and what is not a list is an empty one. */
export function readList<T>(
  box: Pick<Storage, "getItem">,
  key: string,
  read: (entry: unknown) => T | undefined,
): T[] {
  try {
    const list: unknown = JSON.parse(box.getItem(key) ?? "[]");
    return Array.isArray(list) ? list.flatMap((entry) => read(entry) ?? []) : [];
  } catch {
    return []; // written by somebody else: the list begins anew
  }
}

/** Writes to storage; a full one loses the value, which a reload then does not bring back. */
export function write(box: Pick<Storage, "setItem">, key: string, value: string): void {
  try {
    box.setItem(key, value);
  } catch {
    // Nothing here is worth more than the page that goes on.
  }
}

/** 128 random bits in hexadecimal; `crypto.randomUUID` is missing on pages that come over plain HTTP from another machine. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
