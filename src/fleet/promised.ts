/** Promises that are resolved by number, each once. */
export class Promised<V> {
  readonly #resolves = new Map<number, (value: V) => void>();
  #last = 0;

  /** True if nobody waits. */
  get isEmpty(): boolean {
    return this.#resolves.size === 0;
  }

  /** One more promise; `begin` is given its number, and may have it resolved at once. */
  wait(begin: (number: number) => void): Promise<V> {
    const number = ++this.#last;
    return new Promise((resolve) => {
      this.#resolves.set(number, resolve);
      begin(number);
    });
  }

  /** Resolves one, in a later turn of the loop: whoever waits looks at a state that says the same. */
  resolve(number: number, value: V): void {
    const resolve = this.#resolves.get(number);
    this.#resolves.delete(number);
    if (resolve !== undefined) setImmediate(() => resolve(value));
  }
}
