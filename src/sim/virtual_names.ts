import type { VirtualHost } from "./virtual_host.ts";

const OWN_NAMES: ReadonlySet<string> = new Set([
  "localhost",
  "127.0.0.1",
  "::1",
  "0.0.0.0",
  "::",
]);

/**
 * The name service of a {@linkcode VirtualNetwork}: every host is known by its name and by its address.
 *
 * @example Usage
 * ```ts
 * import { VirtualNetwork } from "./virtual_network.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const network = new VirtualNetwork();
 * const [client, server] = [network.host("client"), network.host("server")];
 * network.names.fail("server");
 * assertThrows(() => network.names.lookUp("server", client));
 * network.names.heal("server");
 * assertEquals(network.names.lookUp("server", client), server);
 * ```
 */
export class VirtualNames {
  readonly #hosts: ReadonlyMap<string, VirtualHost>;
  readonly #failing = new Set<string>();

  /** Knows `hosts` by name and address. */
  constructor(hosts: ReadonlyMap<string, VirtualHost>) {
    this.#hosts = hosts;
  }

  /** Answers no more questions for `name`. */
  fail(name: string): void {
    this.#failing.add(name);
  }

  /** Answers again. */
  heal(name: string): void {
    this.#failing.delete(name);
  }

  /**
   * The host that `name` means to programs on `from`; undefined for an address that nobody has.
   *
   * @throws {Error} If the name is unknown, or the service fails; with the runtime's words.
   */
  lookUp(name: string, from: VirtualHost): VirtualHost | undefined {
    if (OWN_NAMES.has(name)) return from;
    if (this.#failing.has(name)) {
      throw new Error(
        "Failed to look up: failed to lookup address information: Temporary failure in name resolution",
      );
    }
    const host = this.#hosts.get(name);
    if (host === undefined && !/^[\d.]+$|:/.test(name)) {
      throw new Error(
        "Failed to look up: failed to lookup address information: Name or service not known",
      );
    }
    return host;
  }
}
