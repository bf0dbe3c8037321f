import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { Nat } from "../../../../src/proto/nat/nat.ts";
import type { NatBehavior } from "../../../../src/proto/nat/options.ts";
import { checkProperty, fc } from "../../../support/property.ts";
import {
  A,
  B,
  icmp,
  OUTSIDE,
  SERVER,
  STRANGER,
  tcp,
  TestNat,
  udp,
} from "../../../support/nat.ts";

const REMOTE = `${SERVER}:80`;

Deno.test("Nat.dump() tells what passed, and the observer what began and ended", () => {
  const test = new TestNat();
  test.out(udp(`${A}:5000`, REMOTE));
  test.in(udp(REMOTE, `${OUTSIDE}:5000`));
  test.wait(1_000);
  assertEquals(test.nat.dump(), [{
    protocol: "udp",
    inside: `${A}:5000`,
    outside: `${OUTSIDE}:5000`,
    remote: REMOTE,
    state: "replied",
    expiresInMs: 299_000,
    packetsOut: 1,
    packetsIn: 1,
    bytesOut: 31,
    bytesIn: 31,
  }]);
  test.wait(300_000);
  assertEquals(
    test.events.map(({ type }) => type),
    ["created", "destroyed"],
  );
});

Deno.test("Nat refuses what is spoofed, unknown or cut off, and goes on", () => {
  const test = new TestNat();
  const icmpOther = udp(`${A}:1`, REMOTE);
  icmpOther[9] = 47;
  const tiny = tcp(`${A}:1`, REMOTE, "syn").slice(0, 30);
  tiny[3] = 30;
  for (
    const packet of [
      new Uint8Array(0),
      new Uint8Array(60).fill(0x60),
      udp("10.0.0.1:1", REMOTE),
      icmpOther,
      tiny,
      tcp(`${A}:1`, REMOTE, "ack"),
      icmp(`${A}:1`, SERVER, 0),
    ]
  ) assertEquals(test.out(packet), []);
  for (
    const packet of [
      udp(REMOTE, "203.0.113.9:1"),
      udp(`${A}:1`, `${OUTSIDE}:1`),
      udp(`${OUTSIDE}:1`, `${OUTSIDE}:2`),
      udp(REMOTE, `${OUTSIDE}:1`),
      icmp(`${SERVER}:7`, OUTSIDE, 8),
    ]
  ) assertEquals(test.in(packet), []);
  assertEquals(test.refusals, [
    "malformed",
    "malformed",
    "not inside",
    "malformed",
    "malformed",
    "no session",
    "unknown ICMP",
    "not outside",
    "not outside",
    "not outside",
    "no mapping",
    "unknown ICMP",
  ]);
  assertEquals(test.out(udp(`${A}:5000`, REMOTE)).length, 1);
});

Deno.test("Nat passes on what goes from the inside to the inside, as it is", () => {
  const test = new TestNat();
  assertEquals(test.out(udp(`${A}:1`, `${B}:2`)), [`in: udp ${A}:1 > ${B}:2`]);
  assertEquals(test.nat.size, 0);
});

Deno.test("Nat maps for each remote address, or endpoint, where the type is overridden", () => {
  const ports = (mapping: NatBehavior) => {
    const test = new TestNat({ mapping });
    const remotes = [REMOTE, `${SERVER}:81`, `${STRANGER}:80`];
    const mapped = remotes.map((to) => test.mapped(udp(`${A}:5000`, to)));
    assertEquals(
      remotes.map((to) => test.mapped(udp(`${A}:5000`, to))),
      mapped,
    );
    return new Set(mapped).size;
  };
  assertEquals(ports("endpoint-independent"), 1);
  assertEquals(ports("address-dependent"), 2);
  assertEquals(ports("address-and-port-dependent"), 3);
});

Deno.test("Nat without hairpinning refuses its own address from the inside", () => {
  const test = new TestNat({ hairpin: false });
  assertEquals(test.out(udp(`${A}:1`, `${OUTSIDE}:2`)), []);
  assertEquals(test.refusals, ["hairpin"]);
});

Deno.test("Nat leads a static forward to its host, in both directions, for good", () => {
  const test = new TestNat({
    type: "symmetric",
    forwards: [{
      protocol: "udp",
      outsidePort: 53,
      insideAddress: A,
      insidePort: 5353,
    }],
  });
  for (let hour = 0; hour < 3; hour++) {
    assertEquals(test.in(udp(REMOTE, `${OUTSIDE}:53`)), [
      `in: udp ${REMOTE} > ${A}:5353`,
    ]);
    assertEquals(test.out(udp(`${A}:5353`, REMOTE)), [
      `out: udp ${OUTSIDE}:53 > ${REMOTE}`,
    ]);
    test.wait(3_600_000);
  }
});

Deno.test("Nat gives no port twice, and refuses when they are used up, until one is free", () => {
  const test = new TestNat({ ports: [6000, 6009] });
  const mapped = new Set<string>();
  for (let port = 1; port <= 10; port++) {
    mapped.add(test.mapped(udp(`${A}:${port}`, REMOTE)));
  }
  assertEquals(mapped.size, 10);
  test.out(udp(`${B}:1`, REMOTE));
  assertEquals(test.refusals, ["ports exhausted"]);
  assertEquals(test.out(tcp(`${B}:1`, REMOTE, "syn")).length, 1);
  test.wait(301_000);
  assertEquals(test.out(udp(`${B}:1`, REMOTE)).length, 1);
});

Deno.test("Nat lets a host that has too many sessions displace its own least recently used one", () => {
  const test = new TestNat({ limits: { maxSessionsPerHost: 3 } });
  for (const port of [1, 2, 3]) {
    test.out(udp(`${A}:${port}`, REMOTE));
    test.wait(1_000);
  }
  test.out(udp(`${A}:1`, REMOTE));
  test.out(udp(`${A}:4`, REMOTE));
  assertEquals(
    test.nat.dump().map(({ inside }) => inside).toSorted(),
    [`${A}:1`, `${A}:3`, `${A}:4`],
  );
});

Deno.test("Nat refuses a host more connections than it may have, and ends none that stands", () => {
  const test = new TestNat({ limits: { maxSessionsPerHost: 2 } });
  for (const port of [1, 2]) {
    test.out(tcp(`${A}:${port}`, REMOTE, "syn"));
    test.in(tcp(REMOTE, `${OUTSIDE}:${port}`, "syn ack"));
  }
  const [answer] = test.out(tcp(`${A}:3`, REMOTE, "syn"));
  assert(answer?.startsWith(`in: icmp 3/13 ${OUTSIDE} > ${A}`));
  assertEquals(test.refusals, ["host limit"]);
  assertEquals(test.nat.size, 2);
  assertEquals(test.out(tcp(`${B}:3`, REMOTE, "syn")).length, 1);
});

Deno.test("Nat refuses a host more ports than it may have", () => {
  const test = new TestNat({ limits: { maxPortsPerHost: 2 } });
  for (const port of [1, 2, 3]) test.out(udp(`${A}:${port}`, REMOTE));
  assertEquals(test.refusals, ["host limit"]);
  assertEquals(test.out(udp(`${A}:1`, `${STRANGER}:1`)).length, 1);
});

Deno.test("Nat under a flood from one host: the flood displaces itself, others keep their sessions", () => {
  const test = new TestNat({ limits: { maxSessions: 1_000 } });
  test.out(udp(`${B}:1`, REMOTE));
  for (let port = 2; port < 20_000; port++) {
    test.out(udp(`${A}:${port}`, REMOTE));
    if (port % 1_000 === 0) {
      assertEquals(test.in(udp(REMOTE, `${OUTSIDE}:1`)).length, 1);
    }
  }
  assertEquals(test.nat.size, 1_000);
  assertEquals(test.in(udp(REMOTE, `${OUTSIDE}:1`)).length, 1);
});

Deno.test("Nat under a flood from hosts that are spoofed: sessions with replies stay", () => {
  const test = new TestNat({
    inside: ["192.168.0.0/16"],
    limits: { maxSessions: 500 },
  });
  test.out(udp(`${B}:1`, REMOTE));
  test.in(udp(REMOTE, `${OUTSIDE}:1`));
  for (let host = 0; host < 5_000; host++) {
    const address = `192.168.${2 + host % 200}.${1 + host % 250}`;
    test.out(udp(`${address}:${1024 + host}`, REMOTE));
  }
  assertEquals(test.nat.size, 500);
  assertEquals(test.in(udp(REMOTE, `${OUTSIDE}:1`)).length, 1);
});

Deno.test("Nat under a flood from the outside holds nothing but some SYNs", () => {
  const test = new TestNat({ type: "full-cone" });
  test.out(udp(`${A}:5000`, REMOTE));
  for (let port = 1; port < 5_000; port++) {
    test.in(udp(`${STRANGER}:${port}`, `${OUTSIDE}:5000`));
    test.in(tcp(`${STRANGER}:${port}`, `${OUTSIDE}:80`, "syn"));
  }
  assertEquals(test.nat.size, 1);
  assert(test.wait(7_000).length <= 101);
});

Deno.test("Nat does the same from the same seed", () => {
  const trace = (seed: number) => {
    const test = new TestNat({ type: "symmetric", random: seededRandom(seed) });
    return Array.from(
      { length: 50 },
      (_, port) => test.mapped(udp(`${A}:${port}`, REMOTE)),
    );
  };
  assertEquals(trace(3), trace(3));
  assert(trace(3).join() !== trace(4).join());
});

Deno.test("Nat sends nothing that is unsound, whatever it is sent", () => {
  checkProperty(
    fc.array(
      fc.tuple(
        fc.boolean(),
        fc.nat({ max: 3 }),
        fc.nat({ max: 40 }),
        fc.nat({ max: 255 }),
      ),
      { maxLength: 60 },
    ),
    (steps) => {
      // Whatever is sent is shown, which checks it; a mutation that leaves a checksum wrong must be let pass.
      const nat = new Nat({
        inside: ["192.168.1.0/24"],
        outside: [OUTSIDE],
        random: seededRandom(1),
        toInside: (packet) => assert(packet.length >= 28),
        toOutside: (packet) => assert(packet.length >= 28),
        type: "full-cone",
      });
      for (const [isOut, kind, at, value] of steps) {
        const [from, to] = isOut
          ? [`${A}:5000`, REMOTE]
          : [REMOTE, `${OUTSIDE}:5000`];
        const packet = [
          udp(from!, to!),
          tcp(from!, to!, "syn"),
          icmp(from!, to!, value),
          udp(from!, to!, { payload: new Uint8Array(600) }),
        ][kind]!;
        packet[at % packet.length] = value;
        if (isOut) nat.fromInside(packet, at);
        else nat.fromOutside(packet, at);
      }
    },
  );
});

Deno.test("Nat refuses options that make no sense", () => {
  const wrong = [
    { inside: [] },
    { inside: ["192.168.1.0/33"] },
    { outside: ["2001:db8::1"] },
    { ports: [0, 10] as const },
    { ports: [20, 10] as const },
    { insideMtu: 20 },
    { timeouts: { udpMs: -1 } },
    {
      forwards: [{
        protocol: "tcp" as const,
        outsidePort: 80,
        insideAddress: SERVER,
        insidePort: 80,
      }],
    },
  ];
  for (const options of wrong) {
    assertThrows(() => new TestNat(options), Error, "Cannot");
  }
  const forward = {
    protocol: "tcp" as const,
    outsidePort: 80,
    insideAddress: A,
    insidePort: 80,
  };
  assertThrows(
    () => new TestNat({ forwards: [forward, { ...forward, insidePort: 81 }] }),
    RangeError,
    "can be forwarded once",
  );
});
