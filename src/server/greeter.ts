import { HelloError } from "../proto/hello/error.ts";
import type { Negotiated } from "../proto/hello.ts";
import { alarm, type Clock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import {
  greet,
  type Greeted,
  helloSecrets,
  sayLastWords,
} from "../io/greet.ts";
import type { Conn } from "../io/transport.ts";

/** Says a server's side of the hello on new connections. */
export class Greeter<In, Out> {
  readonly #wire: Negotiated<In, Out>;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Ends the hellos that are being said. */
  readonly #greetings = new Set<AbortController>();
  /** Connections that are told why they are closed. */
  readonly #parting = new Set<Conn>();

  constructor(wire: Negotiated<In, Out>, clock: Clock, timeoutMs: number) {
    this.#wire = wire;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Says hello on `conn`; if that comes to nothing, tells the peer why, closes `conn` and throws. */
  async greet(conn: Conn): Promise<Greeted<In, Out>> {
    const hello = this.#wire.hello("server", helloSecrets());
    const greeting = new AbortController();
    this.#greetings.add(greeting);
    const deadline = alarm(this.#clock, this.#timeoutMs, () => {
      const reason = `no whole hello within ${this.#timeoutMs} ms`;
      greeting.abort(new HelloError("timed_out", reason));
    });
    try {
      return await greet(conn, hello, greeting.signal);
    } catch (error) {
      this.#parting.add(conn);
      await sayLastWords(conn, hello.takeOutput(), this.#clock);
      this.#parting.delete(conn);
      throw error;
    } finally {
      this.#clock.cancel(deadline);
      this.#greetings.delete(greeting);
    }
  }

  /** Ends every hello that is being said. */
  stop(): void {
    for (const greeting of this.#greetings) {
      greeting.abort(new HelloError("ended", "the server shuts down"));
    }
    this.#parting.forEach(closeQuietly);
  }
}
