/**
 * Translates addresses.
 *
 * @module
 */

import { formatAddress } from "../../proto/address.ts";
import type { NatEntry, NatEvent } from "../../proto/nat/events.ts";
import {
  NAT_TYPES,
  type NatBehavior,
  type NatForward,
  type NatType,
  readIpv4,
  readIpv4Network,
} from "../../proto/nat/options.ts";
import { natRouter } from "../../proxy/nat/nat_router.ts";
import { proxy } from "../../proxy/proxy.ts";
import { HOME_ADDRESSES, HOME_DEVICES, HomeNetwork } from "../home_network.ts";
import type { Output } from "../output.ts";
import { runMain } from "../run.ts";

const BEHAVIORS = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
] as const satisfies NatBehavior[];

/** Runs `deno task nat`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "nat",
    summary: "Let the hosts of a network share an outside address.",
    options: {
      inside: {
        type: "string",
        placeholder: "DEVICE/NETWORK",
        help: "The device and the network of the inside, such as " +
          "lan0/192.168.1.0/24",
        check: parseInside,
      },
      outside: {
        type: "list",
        placeholder: "DEVICE/ADDRESS",
        help: "The device of the outside, and an address there that is no " +
          "machine's; may be repeated",
        check: parseOutside,
      },
      type: {
        type: "string",
        choices: Object.keys(NAT_TYPES) as NatType[],
        default: "restricted",
        help: "What it is like to those who traverse it",
      },
      mapping: {
        type: "string",
        choices: BEHAVIORS,
        help: "What an outside port depends on, in place of the type's",
      },
      filtering: {
        type: "string",
        choices: BEHAVIORS,
        help: "What is let in from the outside, in place of the type's",
      },
      forward: {
        type: "list",
        placeholder: "PROTOCOL:[ADDRESS:]PORT=HOST:PORT",
        help: "An outside port that leads to an inside host, such as " +
          "tcp:80=192.168.1.2:8080; without --inside, TCP by plain sockets",
        check: parseForward,
      },
      ports: {
        type: "string",
        placeholder: "FIRST-LAST",
        help: "The outside ports to use",
        check: parsePorts,
      },
      hairpin: {
        type: "boolean",
        default: true,
        help: "Let inside hosts reach each other by outside addresses",
      },
      maxSessions: {
        type: "integer",
        default: 65_536,
        min: 1,
        help: "Sessions in all",
      },
      maxPerHost: {
        type: "integer",
        default: 8_192,
        min: 1,
        help: "Sessions of one inside host",
      },
      udpSeconds: {
        type: "number",
        default: 300,
        min: 1,
        help: "Silence after which a UDP session is forgotten",
      },
      events: {
        type: "boolean",
        help: "Print what begins, ends and is refused",
      },
      namespace: {
        type: "string",
        help: "The network namespace where the devices are",
      },
      demo: {
        type: "boolean",
        help: "Make a home, a router and an Internet to try it with",
      },
    },
    examples: [
      ["deno task nat --demo", "Try it, in namespaces that are removed again"],
      [
        "deno task nat --inside lan0/192.168.1.0/24 " +
        "--outside wan0/203.0.113.1",
        "Be the router between two devices; SIGUSR1 prints the table",
      ],
      [
        "deno task nat --forward tcp:127.0.0.1:8080=127.0.0.1:8000",
        "Forward a port without being root",
      ],
    ],
  }, async (values, { output, listening, stopped }) => {
    const forwards = values.forward.map(parseForward);
    if (!values.demo && values.inside === undefined) {
      await forwardPlainly(forwards, output, listening, stopped);
      return;
    }
    await using network = values.demo ? await HomeNetwork.create() : undefined;
    const { devices, namespace } = network === undefined
      ? {
        devices: readDevices(values.inside, values.outside),
        namespace: values.namespace,
      }
      : { devices: HOME, namespace: network.router };
    await using router = await natRouter({
      ...devices,
      ...(namespace === undefined ? {} : { namespace }),
      type: values.type,
      ...(values.mapping === undefined ? {} : { mapping: values.mapping }),
      ...(values.filtering === undefined
        ? {}
        : { filtering: values.filtering }),
      hairpin: values.hairpin,
      forwards: forwards.map(toNatForward),
      ...(values.ports === undefined
        ? {}
        : { ports: parsePorts(values.ports) }),
      timeouts: { udpMs: values.udpSeconds * 1000 },
      limits: {
        maxSessions: values.maxSessions,
        maxSessionsPerHost: values.maxPerHost,
      },
      ...(values.events || values.demo
        ? { observe: (event) => tell(event, output) }
        : {}),
    });
    const { inside, outside } = devices;
    output.print(
      `translating ${inside.join(" ")} to ${outside.join(" ")} ` +
        `as ${values.type}`,
      { type: "translating", inside, outside, natType: values.type },
    );
    if (network !== undefined) explain(network, output);
    const dump = () => printTable(router.dump(), output);
    Deno.addSignalListener("SIGUSR1", dump);
    await Promise.race([stopped, router.stopped]);
    Deno.removeSignalListener("SIGUSR1", dump);
  }, args);
}

/** Where a router is. */
interface Devices {
  insideDevice: string;
  inside: string[];
  outsideDevice: string;
  outside: string[];
}

const HOME: Devices = {
  insideDevice: HOME_DEVICES.inside,
  inside: [HOME_ADDRESSES.inside],
  outsideDevice: HOME_DEVICES.outside,
  outside: [HOME_ADDRESSES.outside],
};

function explain({ home, internet }: HomeNetwork, output: Output): void {
  const [server] = HOME_ADDRESSES.servers;
  output.print(
    `in another terminal:
  ip netns exec ${internet} python3 -m http.server --bind ${server} 80
  ip netns exec ${home} curl http://${server}/
  ip netns exec ${home} ping ${server}
Ctrl-C removes all of it`,
  );
}

/** A forwarded port, as the command line names it. */
interface Forward {
  protocol: "tcp" | "udp";
  address: string | undefined;
  port: number;
  host: string;
  hostPort: number;
}

function parseForward(text: string): Forward {
  const match =
    /^(tcp|udp):(?:([^:=]+|\[[^\]=]+\]):)?(\d{1,5})=([^:=]+|\[[^\]=]+\]):(\d{1,5})$/
      .exec(text);
  const [, protocol, address, port, host = "", hostPort] = match ?? [];
  if (match === null || Number(port) > 65_535 || Number(hostPort) > 65_535) {
    throw new SyntaxError(
      `Cannot parse forward: PROTOCOL:[ADDRESS:]PORT=HOST:PORT is expected: current value is "${text}"`,
    );
  }
  return {
    protocol: protocol as Forward["protocol"],
    address: address === undefined ? undefined : bare(address),
    port: Number(port),
    host: bare(host),
    hostPort: Number(hostPort),
  };
}

function bare(address: string): string {
  return address.replace(/^\[(.*)\]$/, "$1");
}

function toNatForward(forward: Forward): NatForward {
  const { protocol, address, port, host, hostPort } = forward;
  return {
    protocol,
    outsidePort: port,
    insideAddress: host,
    insidePort: hostPort,
    ...(address === undefined ? {} : { outsideAddress: address }),
  };
}

function parsePorts(text: string): [first: number, last: number] {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  if (match === null) {
    throw new SyntaxError(
      `Cannot parse ports: FIRST-LAST is expected: current value is "${text}"`,
    );
  }
  return [Number(match[1]), Number(match[2])];
}

function parseInside(text: string): { device: string; network: string } {
  const [, device, network] = /^([^/]{1,15})\/(.+)$/.exec(text) ?? [];
  if (device === undefined || network === undefined) {
    throw new SyntaxError(
      `Cannot parse inside: DEVICE/NETWORK is expected: current value is "${text}"`,
    );
  }
  readIpv4Network(network);
  return { device, network };
}

function parseOutside(text: string): { device: string; address: string } {
  const [, device, address] = /^([^/]{1,15})\/(.+)$/.exec(text) ?? [];
  if (device === undefined || address === undefined) {
    throw new SyntaxError(
      `Cannot parse outside: DEVICE/ADDRESS is expected: current value is "${text}"`,
    );
  }
  readIpv4(address);
  return { device, address };
}

function readDevices(
  inside: string | undefined,
  outside: readonly string[],
): Devices {
  const [first, ...others] = outside.map(parseOutside);
  if (inside === undefined || first === undefined) {
    throw new TypeError(
      "Cannot be a router: --inside and --outside are needed: " +
        `current value is ${outside.length} of --outside`,
    );
  }
  const { device, network } = parseInside(inside);
  const stray = others.find((other) => other.device !== first.device);
  if (stray !== undefined) {
    throw new TypeError(
      `Cannot be a router: all outside addresses must be on one device: current value is "${stray.device}"`,
    );
  }
  const addresses = [first, ...others].map(({ address }) => address);
  return {
    insideDevice: device,
    inside: [network],
    outsideDevice: first.device,
    outside: addresses,
  };
}

/** Forwards TCP by plain sockets, as anybody may. */
async function forwardPlainly(
  forwards: readonly Forward[],
  output: Output,
  listening: (endpoints: Iterable<string>) => void,
  stopped: Promise<void>,
): Promise<void> {
  if (forwards.length === 0) {
    throw new TypeError(
      "Cannot translate: --inside and --outside, --forward or --demo is needed: current value is none of them",
    );
  }
  await using stack = new AsyncDisposableStack();
  for (const { protocol, address, port, host, hostPort } of forwards) {
    if (protocol !== "tcp") {
      throw new TypeError(
        `Cannot forward ${protocol} by plain sockets: TCP alone is, without --inside: current value is port ${port}`,
      );
    }
    const to = `tcp://${formatAddress(host, hostPort)}`;
    const front = stack.use(
      await proxy({
        listen: `tcp://${formatAddress(address ?? "127.0.0.1", port)}`,
        to: () => ({ to }),
        observe: (event) => {
          if (event.type === "connect failed") {
            output.error(`cannot reach ${event.to}: ${String(event.error)}`);
          }
        },
      }),
    );
    listening(front.endpoints);
  }
  await stopped;
}

function tell(event: NatEvent, output: Output): void {
  switch (event.type) {
    case "created":
      return output.print(`created ${entryText(event.entry)}`, event);
    case "destroyed":
      return output.print(
        `${event.ending} ${
          entryText(event.entry)
        } out ${event.entry.bytesOut} in ${event.entry.bytesIn}`,
        event,
      );
    case "refused": {
      const { source = "?", destination = "?" } = event;
      return output.print(
        `refused ${source} > ${destination} from ${event.from}: ${event.reason}`,
        event,
      );
    }
  }
}

function entryText(entry: NatEntry): string {
  const { protocol, inside, outside, remote } = entry;
  return `${protocol} ${inside} as ${outside} with ${remote}`;
}

function printTable(entries: readonly NatEntry[], output: Output): void {
  for (const entry of entries) {
    const { state, expiresInMs, packetsOut, packetsIn } = entry;
    output.print(
      `${entryText(entry)} ${state} ends in ${
        Math.round(expiresInMs / 1000)
      } s, packets out ${packetsOut} in ${packetsIn}`,
      { type: "session", ...entry },
    );
  }
  const count = entries.length;
  output.print(`${count} sessions`, { type: "sessions", count });
}
