/**
 * The requirements of RFC 4787 (UDP), each by its number.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fragmentIpv4, Ipv4Packet } from "../../src/proto/ip_packet/ipv4.ts";
import type { NatType } from "../../src/proto/nat/options.ts";
import {
  A,
  B,
  icmpAbout,
  OUTSIDE,
  SERVER,
  STRANGER,
  TestNat,
  udp,
} from "../support/nat.ts";

const CONES: NatType[] = ["full-cone", "restricted", "port-restricted"];

Deno.test("RFC 4787 REQ-1: the mapping is endpoint-independent", () => {
  for (const type of CONES) {
    const test = new TestNat({ type });
    const first = test.mapped(udp(`${A}:5000`, `${SERVER}:1`));
    assertEquals(test.mapped(udp(`${A}:5000`, `${SERVER}:2`)), first);
    assertEquals(test.mapped(udp(`${A}:5000`, `${STRANGER}:1`)), first);
  }
});

Deno.test("RFC 4787 REQ-1 is broken on purpose by the type that breaks it: symmetric", () => {
  const test = new TestNat({ type: "symmetric" });
  const first = test.mapped(udp(`${A}:5000`, `${SERVER}:1`));
  assertNotEquals(test.mapped(udp(`${A}:5000`, `${SERVER}:2`)), first);
  assertEquals(test.mapped(udp(`${A}:5000`, `${SERVER}:1`)), first);
});

Deno.test("RFC 4787 REQ-2: address pooling is paired", () => {
  const test = new TestNat({ outside: [OUTSIDE, "203.0.113.2"] });
  const seen = new Set<string>();
  for (const host of [A, B]) {
    const addresses = new Set(
      [1, 2, 3, 4, 5].map((port) =>
        test.mapped(udp(`${host}:500${port}`, `${SERVER}:${port}`))
          .split(":")[0]!
      ),
    );
    assertEquals(addresses.size, 1);
    for (const address of addresses) seen.add(address);
  }
  assertEquals(seen.size, 2);
});

Deno.test("RFC 4787 REQ-3: no port is overloaded, and the range of the port is kept", () => {
  const test = new TestNat();
  const first = test.mapped(udp(`${A}:5000`, `${SERVER}:1`));
  const second = test.mapped(udp(`${B}:5000`, `${STRANGER}:2`));
  assertEquals(first, `${OUTSIDE}:5000`);
  assertNotEquals(second, first);
  const port = (endpoint: string) => Number(endpoint.split(":")[1]);
  assert(port(second) >= 1024);
  test.mapped(udp(`${A}:500`, `${SERVER}:1`));
  assert(port(test.mapped(udp(`${B}:500`, `${SERVER}:1`))) < 1024);
});

Deno.test("RFC 4787 REQ-4: the parity of the port is kept", () => {
  const test = new TestNat({ preservePorts: false });
  for (let port = 5000; port < 5050; port++) {
    const mapped = test.mapped(udp(`${A}:${port}`, `${SERVER}:1`));
    assertEquals(Number(mapped.split(":")[1]) % 2, port % 2);
  }
});

Deno.test("RFC 4787 REQ-5: a mapping lives for two minutes at least, by default for five", () => {
  const test = new TestNat();
  test.out(udp(`${A}:5000`, `${SERVER}:1`));
  test.wait(299_999);
  assertEquals(test.in(udp(`${SERVER}:1`, `${OUTSIDE}:5000`)).length, 1);
  test.wait(200);
  assertEquals(test.in(udp(`${SERVER}:1`, `${OUTSIDE}:5000`)), []);
  assertEquals(test.nat.size, 0);
});

Deno.test("RFC 4787 REQ-6: packets from the inside refresh it; those from the outside only if so configured", () => {
  for (const refreshInbound of [false, true]) {
    const test = new TestNat({ refreshInbound });
    test.out(udp(`${A}:5000`, `${SERVER}:1`));
    test.wait(200_000);
    test.out(udp(`${A}:5000`, `${SERVER}:1`));
    test.wait(200_000);
    assertEquals(test.in(udp(`${SERVER}:1`, `${OUTSIDE}:5000`)).length, 1);
    test.wait(200_000);
    const { length } = test.in(udp(`${SERVER}:1`, `${OUTSIDE}:5000`));
    assertEquals(length, refreshInbound ? 1 : 0);
  }
});

Deno.test({
  name:
    "RFC 4787 REQ-7: not applicable: the outside address is configured, not learned from a network that may be the inside's",
  fn() {
    // What the requirement is about, an inside and an outside that overlap, cannot pass either way.
    const test = new TestNat();
    assertEquals(test.in(udp(`${A}:1`, `${OUTSIDE}:5000`)), []);
    assertEquals(test.refusals, ["not outside"]);
  },
});

Deno.test("RFC 4787 REQ-8: the filter is endpoint-independent, or address-dependent, as configured", () => {
  const expected = {
    "full-cone": [true, true, true],
    "restricted": [true, true, false],
    "port-restricted": [true, false, false],
    "symmetric": [true, false, false],
  };
  for (const [type, lets] of Object.entries(expected)) {
    const test = new TestNat({ type: type as NatType });
    const mapped = test.mapped(udp(`${A}:5000`, `${SERVER}:1`));
    const senders = [`${SERVER}:1`, `${SERVER}:2`, `${STRANGER}:1`];
    assertEquals(
      senders.map((sender) => test.in(udp(sender, mapped)).length === 1),
      lets,
      type,
    );
  }
});

Deno.test("RFC 4787 REQ-9: inside hosts reach each other by outside addresses, which is what they see", () => {
  for (const type of CONES) {
    const test = new TestNat({ type });
    test.out(udp(`${B}:6000`, `${SERVER}:1`));
    assertEquals(test.out(udp(`${A}:5000`, `${OUTSIDE}:6000`)), [
      `in: udp ${OUTSIDE}:5000 > ${B}:6000`,
    ]);
    assertEquals(test.out(udp(`${B}:6000`, `${OUTSIDE}:5000`)), [
      `in: udp ${OUTSIDE}:6000 > ${A}:5000`,
    ]);
  }
});

Deno.test({
  name:
    "RFC 4787 REQ-10: not applicable: there is no application-level gateway to be turned off",
  fn() {
    // An FTP command with an address in it passes as it is.
    const test = new TestNat();
    const payload = new TextEncoder().encode("PORT 192,168,1,2,19,136\r\n");
    test.out(udp(`${A}:5000`, `${SERVER}:21`, { payload }));
    assertEquals(test.last.subarray(28), payload);
  },
});

Deno.test("RFC 4787 REQ-11: it is deterministic: neither load nor conflicts change the mapping or the filter", () => {
  const test = new TestNat();
  for (const host of [A, B]) {
    const mapped = test.mapped(udp(`${host}:5000`, `${SERVER}:1`));
    for (let port = 1; port < 100; port++) {
      assertEquals(
        test.mapped(udp(`${host}:5000`, `${STRANGER}:${port}`)),
        mapped,
      );
    }
    assertEquals(test.in(udp(`${SERVER}:2`, mapped)).length, 1);
    assertEquals(test.in(udp("198.51.100.9:1", mapped)), []);
  }
});

Deno.test("RFC 4787 REQ-12: an ICMP error ends no mapping, and passes", () => {
  const test = new TestNat();
  test.out(udp(`${A}:5000`, `${SERVER}:1`));
  const sent = test.last;
  assertEquals(test.in(icmpAbout(STRANGER, OUTSIDE, sent)), [
    `in: icmp 3/3 ${STRANGER} > ${A} (udp ${A}:5000 > ${SERVER}:1)`,
  ]);
  assertEquals(test.in(udp(`${SERVER}:1`, `${OUTSIDE}:5000`)).length, 1);
});

Deno.test("RFC 4787 REQ-13: a packet that is too large and must not be fragmented is answered by an ICMP error; another is fragmented", () => {
  const test = new TestNat({ outsideMtu: 600 });
  const payload = new Uint8Array(1000);
  const packet = udp(`${A}:5000`, `${SERVER}:1`, {
    payload,
    dontFragment: true,
  });
  assertEquals(test.out(packet), [
    `in: icmp 3/4 ${OUTSIDE} > ${A} (udp ${A}:5000 > ${SERVER}:1)`,
  ]);
  assertEquals(test.last[26]! << 8 | test.last[27]!, 600);
  assertEquals(test.out(udp(`${A}:5000`, `${SERVER}:1`, { payload })), [
    `out: udp ${OUTSIDE}:5000 > ${SERVER}:1 begins`,
    `out: ${OUTSIDE} > ${SERVER} from byte 576`,
  ]);
});

Deno.test("RFC 4787 REQ-14: fragments pass, in order and out of order", () => {
  const payload = new Uint8Array(1000);
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
    const test = new TestNat();
    const fragments = (
      bytes: Uint8Array<ArrayBuffer>,
    ) => [...fragmentIpv4(Ipv4Packet.parse(bytes)!, 400)];
    const outward = fragments(udp(`${A}:5000`, `${SERVER}:1`, { payload }));
    assertEquals(
      order.flatMap((index) => test.out(outward[index]!)).toSorted(),
      [
        `out: ${OUTSIDE} > ${SERVER} from byte 376+`,
        `out: ${OUTSIDE} > ${SERVER} from byte 752`,
        `out: udp ${OUTSIDE}:5000 > ${SERVER}:1 begins`,
      ],
    );
    const inward = fragments(
      udp(`${SERVER}:1`, `${OUTSIDE}:5000`, { payload }),
    );
    assertEquals(
      order.flatMap((index) => test.in(inward[index]!)).toSorted(),
      [
        `in: ${SERVER} > ${A} from byte 376+`,
        `in: ${SERVER} > ${A} from byte 752`,
        `in: udp ${SERVER}:1 > ${A}:5000 begins`,
      ],
    );
  }
});

Deno.test("RFC 4787 REQ-14a: a flood of fragments without a beginning displaces its own, and memory is bounded", () => {
  const test = new TestNat({ limits: { maxFragmentBytes: 10_000 } });
  const payload = new Uint8Array(1000);
  for (let id = 0; id < 1_000; id++) {
    const bytes = udp(`${SERVER}:1`, `${OUTSIDE}:5000`, { payload, id });
    const [, second] = fragmentIpv4(Ipv4Packet.parse(bytes)!, 600);
    assertEquals(test.in(second!), []);
  }
  test.out(udp(`${A}:5000`, `${SERVER}:1`));
  const bytes = udp(`${SERVER}:1`, `${OUTSIDE}:5000`, { payload, id: 5000 });
  const [first, second] = fragmentIpv4(Ipv4Packet.parse(bytes)!, 600);
  assertEquals(test.in(second!), []);
  assertEquals(test.in(first!).length, 2);
});
