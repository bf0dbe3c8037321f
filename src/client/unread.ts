/** Unread messages that a client holds before it stops reading. */
export const MAX_UNREAD = 1024;

/** Messages that have arrived and wait to be received, one receiver at a time. */
export class Unread<In> {
  #messages: In[] = [];
  /** Index of the first in `#messages`. */
  #head = 0;
  #ended = false;
  #receiver: PromiseWithResolvers<In | undefined> | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /** How many wait. */
  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** Adds a message; the promise, if there is one, resolves when more may come. */
  push(message: In): Promise<void> | undefined {
    if (this.#receiver !== undefined) {
      this.#receiver.resolve(message);
      this.#receiver = undefined;
      return undefined;
    }
    this.#messages.push(message);
    if (this.size < MAX_UNREAD) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** No more will come. */
  end(): void {
    this.#ended = true;
    this.#receiver?.resolve(undefined);
    this.#receiver = undefined;
    this.release();
  }

  /** Lets those go on who wait for room: what they read from has ended. */
  release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /**
   * The next message, or undefined once there will be none.
   *
   * @throws {TypeError} If somebody waits already.
   */
  async receive(): Promise<In | undefined> {
    if (this.size > 0) {
      const message = this.#messages[this.#head++];
      if (this.#head * 2 > this.#messages.length) {
        this.#messages = this.#messages.slice(this.#head);
        this.#head = 0;
      }
      if (this.size < MAX_UNREAD / 2) this.release();
      return message;
    }
    if (this.#ended) return undefined;
    if (this.#receiver !== undefined) {
      throw new TypeError("Cannot receive: another receive is waiting");
    }
    this.#receiver = Promise.withResolvers();
    return await this.#receiver.promise;
  }
}
