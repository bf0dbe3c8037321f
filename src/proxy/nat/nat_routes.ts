/** Options of {@linkcode setUpNatRoutes}. */
export interface NatRoutesOptions {
  /** The device where the inside is. */
  readonly insideDevice: string;
  /** The device where the outside is. */
  readonly outsideDevice: string;
  /** The TUN device by which packets from the inside reach us. */
  readonly insideTun: string;
  /** The TUN device by which packets from the outside reach us. */
  readonly outsideTun: string;
  /** The outside addresses. */
  readonly outside: readonly string[];
  /** The network namespace in which the devices are; ours when left out. */
  readonly namespace?: string | undefined;
}

/** Where the numbers of our routing tables begin; the kernel's own are below. */
const FIRST_TABLE = 20_000;

/** Packets that wait in a TUN device until they are read. */
const QUEUE_PACKETS = "4000";

/** Before the main table's rule, 32766. */
const RULE_PREFERENCE = "20000";

/**
 * Leads the packets of both sides to the TUN devices: what comes in by the inside's device by a rule, what comes for an
 * outside address by a route, for which the outside's device answers to ARP. Returns what undoes that.
 *
 * @throws {Error} If `ip` or `sysctl` fails; what was done until then is undone.
 */
export async function setUpNatRoutes(
  options: NatRoutesOptions,
): Promise<() => Promise<void>> {
  const { insideDevice, insideTun, outsideDevice, outsideTun, namespace } =
    options;
  const within = namespace === undefined ? [] : ["-n", namespace];
  const undo: string[][] = [];
  const restore = async () => {
    for (const args of undo.splice(0).reverse()) {
      // What was there is gone already where a device was removed.
      await run("ip", args).catch(() => {});
    }
  };
  const ip = (...args: string[]) => run("ip", [...within, ...args]);
  const sysctl = (...args: string[]) =>
    namespace === undefined
      ? run("sysctl", args)
      : run("ip", ["netns", "exec", namespace, "sysctl", ...args]);
  try {
    if (namespace !== undefined) {
      for (const tun of [insideTun, outsideTun]) {
        await run("ip", ["link", "set", tun, "netns", namespace]);
      }
    }
    await ip("link", "show", "dev", insideDevice);
    await ip("link", "show", "dev", outsideDevice);
    for (const address of options.outside) {
      if (await ip("-o", "addr", "show", "to", `${address}/32`) === "") {
        continue;
      }
      throw new Error(
        `Cannot set up routes: an outside address must be none of the router's own, which the kernel keeps for itself: current value is "${address}"`,
      );
    }
    for (const tun of [insideTun, outsideTun]) {
      // Packets are read in turns, between which many come.
      await ip("link", "set", tun, "up", "txqueuelen", QUEUE_PACKETS);
      // Loose: what comes out of a TUN device has its source behind another one.
      await sysctl("-q", "-w", `net.ipv4.conf.${tun}.rp_filter=2`);
    }
    const table = String(await freeTable(ip));
    const rule = [
      ...["rule", "ACTION", "pref", RULE_PREFERENCE, "iif", insideDevice],
      ...["lookup", table],
    ];
    const act = (action: string) => rule.with(1, action);
    await ip("route", "add", "default", "dev", insideTun, "table", table);
    await ip(...act("add"));
    undo.push([...within, ...act("del")]);
    for (const address of options.outside) {
      await ip("route", "add", `${address}/32`, "dev", outsideTun);
      const proxy = ["proxy", address, "dev", outsideDevice];
      await ip("neigh", "replace", ...proxy);
      undo.push([...within, "neigh", "del", ...proxy]);
    }
    await sysctl("-q", "-w", "net.ipv4.ip_forward=1");
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}

async function freeTable(
  ip: (...args: string[]) => Promise<string>,
): Promise<number> {
  const rules = await ip("rule", "show");
  let table = FIRST_TABLE;
  while (rules.includes(`lookup ${table}`)) table++;
  return table;
}

async function run(command: string, args: string[]): Promise<string> {
  const line = `${command} ${args.join(" ")}`;
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(command, { args, stdin: "null" }).output();
  } catch (cause) {
    throw new Error(
      `Cannot set up routes: "${command}" cannot be started: current value is "${line}"`,
      { cause },
    );
  }
  const decoder = new TextDecoder();
  if (!output.success) {
    const reason = decoder.decode(output.stderr).trim().replaceAll("\n", "; ");
    throw new Error(
      `Cannot set up routes: ${reason}: current value is "${line}"`,
    );
  }
  return decoder.decode(output.stdout);
}
