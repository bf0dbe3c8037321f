import type { Endpoint } from "../../src/io/endpoint.ts";
import { memoryPair } from "../../src/io/memory.ts";
import type { Conn, Listener } from "../../src/io/transport.ts";

/** A listener whose next connections and errors a test decides. */
export class ScriptedListener implements Listener {
  readonly endpoint: Endpoint = { scheme: "memory", name: "scripted" };
  /** How often it was asked for a connection. */
  accepts = 0;
  readonly #ready: (Conn | Error)[] = [];
  #waiting: PromiseWithResolvers<Conn> | undefined;

  /** Gives a connection, or an error, to the next who accepts; returns the client's end. */
  offer(error?: Error): Conn {
    const [client, server] = memoryPair("scripted");
    this.#ready.push(error ?? server);
    this.#give();
    return client;
  }

  accept(): Promise<Conn> {
    this.accepts++;
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#give();
    return promise;
  }

  #give(): void {
    if (this.#waiting === undefined) return;
    const next = this.#ready.shift();
    if (next === undefined) return;
    if (next instanceof Error) this.#waiting.reject(next);
    else this.#waiting.resolve(next);
    this.#waiting = undefined;
  }

  close(): void {
    this.#waiting?.reject(
      new Deno.errors.BadResource("The listener is closed"),
    );
    this.#waiting = undefined;
  }
}
