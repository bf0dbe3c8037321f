/**
 * A home, its router and the Internet on one machine, for demonstrations and tests of a NAT.
 *
 * @module
 */

/** The addresses of a {@linkcode HomeNetwork}. */
export const HOME_ADDRESSES = {
  /** Two hosts of the home, in one namespace. */
  hosts: ["192.168.1.2", "192.168.1.3"],
  /** The network of the home. */
  inside: "192.168.1.0/24",
  /** The router in the home. */
  gateway: "192.168.1.1",
  /** The router on the outside. */
  router: "203.0.113.2",
  /** The address that the NAT may use. */
  outside: "203.0.113.1",
  /** Two servers on the Internet, in one namespace. */
  servers: ["198.51.100.1", "198.51.100.2"],
} as const;

/** The devices of its router. */
export const HOME_DEVICES = { inside: "lan0", outside: "wan0" } as const;

/** Where the Internet meets the router. */
const PROVIDER = "203.0.113.3";

let count = 0;

/**
 * Three network namespaces, joined by two cables: the home's hosts, their router, and the Internet, which knows nothing
 * of the home. The router forwards; a NAT is not there yet. Needs Linux, root and `--allow-run=ip`.
 *
 * @example
 * ```ts no-assert ignore
 * import { HomeNetwork } from "./home_network.ts";
 *
 * await using network = await HomeNetwork.create();
 * await network.ip("netns", "exec", network.home, "ping", "-c1", "192.168.1.1");
 * ```
 */
export class HomeNetwork implements AsyncDisposable {
  /** The namespace of the hosts. */
  readonly home: string;
  /** The namespace of the router. */
  readonly router: string;
  /** The namespace of the servers. */
  readonly internet: string;

  private constructor(name: string) {
    this.home = `${name}-home`;
    this.router = `${name}-router`;
    this.internet = `${name}-internet`;
  }

  /**
   * Creates the namespaces, whose names nobody else has.
   *
   * @throws {Error} If the kernel refuses; what was created until then is removed.
   */
  static async create(): Promise<HomeNetwork> {
    const network = new HomeNetwork(`portolan-${Deno.pid}-${++count}`);
    try {
      await network.#build();
    } catch (error) {
      await network.remove();
      throw error;
    }
    return network;
  }

  /** Runs `ip`, and returns what it prints. */
  async ip(...args: string[]): Promise<string> {
    const output = await new Deno.Command("ip", { args, stdin: "null" })
      .output();
    const decoder = new TextDecoder();
    if (!output.success) {
      throw new Error(
        `Cannot run ip: ${
          decoder.decode(output.stderr).trim()
        }: current value is "${args.join(" ")}"`,
      );
    }
    return decoder.decode(output.stdout);
  }

  /** Removes the namespaces, with all that is in them. */
  async remove(): Promise<void> {
    for (const name of [this.home, this.router, this.internet]) {
      // One that was not created yet need not be removed.
      await this.ip("netns", "del", name).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  async #build(): Promise<void> {
    const { home, router, internet } = this;
    const { hosts, gateway, outside, servers } = HOME_ADDRESSES;
    for (const name of [home, router, internet]) {
      await this.ip("netns", "add", name);
      await this.ip("-n", name, "link", "set", "lo", "up");
    }
    const { inside: lan, outside: wan } = HOME_DEVICES;
    await this.#cable([home, "eth0"], [router, lan]);
    await this.#cable([internet, "eth0"], [router, wan]);
    const prefixed = (addresses: readonly string[], bits: number) =>
      addresses.map((address) => `${address}/${bits}`);
    const addresses: [string, string, string[]][] = [
      [home, "eth0", prefixed(hosts, 24)],
      [router, lan, [`${gateway}/24`]],
      [router, wan, [`${HOME_ADDRESSES.router}/24`]],
      [internet, "eth0", [`${PROVIDER}/24`, ...prefixed(servers, 32)]],
    ];
    for (const [namespace, device, list] of addresses) {
      for (const address of list) {
        await this.ip("-n", namespace, "addr", "add", address, "dev", device);
      }
    }
    const route = ["route", "add", "default", "via"];
    await this.ip("-n", home, ...route, gateway);
    await this.ip("-n", router, ...route, PROVIDER);
    // No host of the Internet may know the way into a home.
    await this.ip("-n", internet, "route", "add", "unreachable", "default");
    await this.ip("-n", internet, "route", "get", outside);
  }

  async #cable(
    [a, deviceA]: readonly [namespace: string, device: string],
    [b, deviceB]: readonly [namespace: string, device: string],
  ): Promise<void> {
    await this.ip(
      ...["link", "add", deviceA, "netns", a, "type", "veth"],
      ...["peer", "name", deviceB, "netns", b],
    );
    await this.ip("-n", a, "link", "set", deviceA, "up");
    await this.ip("-n", b, "link", "set", deviceB, "up");
  }
}
