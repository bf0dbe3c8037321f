/**
 * What discovery tools say about our NAT, and about the kernel's.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { HomeNetwork } from "../../src/cli/home_network.ts";
import type { NatType } from "../../src/proto/nat/options.ts";
import {
  canRoute,
  HOST,
  kernelHome,
  natHome,
  OUTSIDE,
  ROUTER,
  SECOND_HOST,
  SECOND_SERVER,
  SERVER,
  startWithin,
  within,
} from "../support/home_network.ts";
import { run } from "../support/program.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const programs = ["turnutils_natdiscovery", "turnserver", "stun"];
const discovers = await canRoute(...programs);
const hasKernel = await canRoute(...programs, "nft", "conntrack", "socat");

/** A STUN server with two addresses and two ports, as RFC 5780 wants it. */
async function stunServer({ internet }: HomeNetwork): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  try {
    const { path } = stack.use(await temporaryFolder());
    stack.use(
      await startWithin(
        internet,
        "SQLite DB connection success",
        ...["turnserver", "-n", "-S", "-z", "-L", SERVER, "-L", SECOND_SERVER],
        ...["--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"],
        `--pidfile=${path}/pid`,
      ),
    );
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return stack;
}

interface Found {
  mapping: string | undefined;
  filtering: string | undefined;
  hairpins: boolean;
  stun: string | undefined;
}

/** What the two tools say of the router of a home. */
async function discover(network: HomeNetwork): Promise<Found> {
  await using _server = await stunServer(network);
  const [natdiscovery, stun] = await Promise.all([
    within(network.home, "turnutils_natdiscovery", "-m", "-f", "-H", SERVER),
    within(network.home, "stun", SERVER),
  ]);
  const behavior = (of: string) =>
    RegExp(`NAT with (.*) ${of}!`).exec(natdiscovery.stdout)?.[1];
  return {
    mapping: behavior("Mapping"),
    filtering: behavior("Filtering"),
    hairpins: natdiscovery.stdout.includes("successful hairpinning"),
    stun: /^Primary: (.*?)\s*$/m.exec(stun.stdout)?.[1],
  };
}

const EXPECTED: Record<NatType, Found> = {
  "full-cone": {
    mapping: "Endpoint Independent",
    filtering: "Endpoint Independent",
    hairpins: true,
    stun:
      "Independent Mapping, Independent Filter, preserves ports, will hairpin",
  },
  "restricted": {
    mapping: "Endpoint Independent",
    filtering: "Address Dependent",
    hairpins: true,
    stun:
      "Independent Mapping, Address Dependent Filter, preserves ports, will hairpin",
  },
  "port-restricted": {
    mapping: "Endpoint Independent",
    filtering: "Address and Port Dependent",
    hairpins: true,
    stun:
      "Independent Mapping, Port Dependent Filter, preserves ports, will hairpin",
  },
  "symmetric": {
    mapping: "Address and Port Dependent",
    filtering: "Address and Port Dependent",
    hairpins: true,
    stun: "Dependent Mapping, random port, will hairpin",
  },
};

Deno.test({
  name: "turnutils_natdiscovery and stun report the type that was configured",
  ignore: !discovers,
  async fn() {
    const types = Object.keys(EXPECTED) as NatType[];
    // Side by side: they mostly wait for what does not come.
    const found = await Promise.all(types.map(async (type) => {
      await using home = await natHome({ type });
      return [type, await discover(home.network)] as const;
    }));
    assertEquals(Object.fromEntries(found), EXPECTED);
  },
});

Deno.test({
  name:
    "turnutils_natdiscovery sees no collision of two hosts on one port, and mappings that live as long as configured",
  ignore: !discovers,
  async fn() {
    await using home = await natHome({ timeouts: { udpMs: 2_500 } });
    const { network } = home;
    await using _server = await stunServer(network);
    const ask = (...args: string[]) =>
      within(network.home, "turnutils_natdiscovery", ...args, SERVER);
    const [collision, early, late] = await Promise.all([
      ask("-c", "-L", HOST, "-l", "5000", "-A", SECOND_HOST),
      ask("-t", "-T", "1"),
      ask("-t", "-T", "4"),
    ]);
    const [first, second] = Array.from(
      collision.stdout.matchAll(/reflexive addr: (\S+):(\d+)/g),
      ([, address, port]) => ({ address, port }),
    );
    assertEquals(first, { address: OUTSIDE, port: "5000" });
    assertEquals(second?.address, OUTSIDE);
    assertNotEquals(second?.port, "5000");
    assertMatch(early.stdout, /RFC 5780 response 2/);
    assertMatch(late.stdout, /STUN receive timeout/);
  },
});

Deno.test({
  name:
    "turnutils_natdiscovery and stun see the kernel's masquerading as what it is: the check of the check",
  ignore: !hasKernel,
  async fn() {
    await using network = await kernelHome();
    assertEquals(await discover(network), {
      mapping: "Endpoint Independent",
      filtering: "Address and Port Dependent",
      hairpins: false,
      stun:
        "Independent Mapping, Port Dependent Filter, preserves ports, no hairpin",
    });
  },
});

const ANSWER = "SYSTEM:read question; echo ahoy";

/** Sends from a port of the home, UDP and TCP, and reads an answer to each. */
async function converse({ home, internet }: HomeNetwork): Promise<void> {
  const listen = (what: string, ready: string) =>
    startWithin(internet, ready, "socat", "-d", "-d", what, ANSWER);
  await using _udp = await listen(
    `UDP-RECVFROM:53,bind=${SERVER},fork`,
    "receiving on",
  );
  await using _tcp = await listen("TCP-LISTEN:80,fork", "listening on");
  for (
    const to of [
      `UDP:${SERVER}:53,sourceport=5000`,
      `TCP:${SERVER}:80,sourceport=5001`,
    ]
  ) {
    const { stdout, stderr } = await run(
      ["ip", "netns", "exec", home, "socat", "-t1", "-", to],
      { input: "?\n" },
    );
    assertEquals(stdout, "ahoy\n", stderr);
  }
}

Deno.test({
  name: "the table is that of the kernel's conntrack after the same traffic",
  ignore: !hasKernel,
  async fn() {
    await using network = await kernelHome();
    await converse(network);
    const { stdout } = await within(network.router, "conntrack", "-L");
    const kernel = stdout.trim().split("\n").map((line) => {
      assertMatch(line, /^(udp|tcp)/);
      const value = (name: string) =>
        Array.from(line.matchAll(RegExp(`${name}=(\\S+)`, "g")), ([, v]) => v);
      const [inside, remote] = value("src");
      const [, outside] = value("dst");
      const [port, remotePort] = value("sport");
      const [, outsidePort] = value("dport");
      return `${line.slice(0, 3)} ${inside}:${port} ${
        outside === ROUTER ? OUTSIDE : outside
      }:${outsidePort} ${remote}:${remotePort}`;
    });
    await using home = await natHome();
    await converse(home.network);
    const ours = home.router.dump().map((entry) =>
      `${entry.protocol} ${entry.inside} ${entry.outside} ${entry.remote}`
    );
    assertEquals(ours.toSorted(), kernel.toSorted());
    assertEquals(ours.toSorted(), [
      `tcp ${HOST}:5001 ${OUTSIDE}:5001 ${SERVER}:80`,
      `udp ${HOST}:5000 ${OUTSIDE}:5000 ${SERVER}:53`,
    ]);
  },
});
