/**
 * The requirements of RFC 5382 (TCP) and, for ICMP, of RFC 5508, each by its number.
 *
 * @module
 */

import { assertEquals, assertNotEquals } from "@std/assert";
import type { NatType } from "../../src/proto/nat/options.ts";
import {
  A,
  B,
  icmp,
  icmpAbout,
  OUTSIDE,
  SERVER,
  STRANGER,
  tcp,
  TestNat,
  udp,
} from "../support/nat.ts";

const INSIDE = `${A}:5000`;
const MAPPED = `${OUTSIDE}:5000`;
const REMOTE = `${SERVER}:80`;

/** Opens a connection from the inside. */
function open(test: TestNat): void {
  assertEquals(test.out(tcp(INSIDE, REMOTE, "syn")).length, 1);
  assertEquals(test.in(tcp(REMOTE, MAPPED, "syn ack")).length, 1);
  assertEquals(test.out(tcp(INSIDE, REMOTE, "ack")).length, 1);
}

function state(test: TestNat): string | undefined {
  return test.nat.dump()[0]?.state;
}

Deno.test("RFC 5382 REQ-1: the mapping is endpoint-independent", () => {
  const test = new TestNat();
  assertEquals(test.mapped(tcp(INSIDE, REMOTE, "syn")), MAPPED);
  assertEquals(test.mapped(tcp(INSIDE, `${STRANGER}:80`, "syn")), MAPPED);
});

Deno.test("RFC 5382 REQ-2: every valid sequence passes: three-way handshake, simultaneous open", () => {
  const usual = new TestNat();
  open(usual);
  assertEquals(state(usual), "established");
  const crossing = new TestNat();
  crossing.out(tcp(INSIDE, REMOTE, "syn"));
  assertEquals(crossing.in(tcp(REMOTE, MAPPED, "syn")), [
    `in: tcp ${REMOTE} > ${INSIDE} syn`,
  ]);
  assertEquals(crossing.out(tcp(INSIDE, REMOTE, "syn ack")), [
    `out: tcp ${MAPPED} > ${REMOTE} syn ack`,
  ]);
  assertEquals(crossing.in(tcp(REMOTE, MAPPED, "syn ack")).length, 1);
  assertEquals(state(crossing), "established");
});

Deno.test("RFC 5382 REQ-3: the filter is endpoint-independent, or address-dependent, as configured", () => {
  const expected = {
    "full-cone": [true, true],
    "restricted": [true, false],
    "port-restricted": [false, false],
    "symmetric": [false, false],
  };
  for (const [type, lets] of Object.entries(expected)) {
    const test = new TestNat({ type: type as NatType });
    const mapped = test.mapped(tcp(INSIDE, REMOTE, "syn"));
    assertEquals(
      [`${SERVER}:81`, `${STRANGER}:80`].map((sender) =>
        test.in(tcp(sender, mapped, "syn")).length === 1
      ),
      lets,
      type,
    );
  }
});

Deno.test("RFC 5382 REQ-4: an unsolicited SYN is refused after 6 s, and not before", () => {
  const test = new TestNat();
  const syn = tcp(REMOTE, MAPPED, "syn");
  assertEquals(test.in(syn), []);
  assertEquals(test.wait(5_999), []);
  assertEquals(test.wait(200), [
    `out: icmp 3/3 ${OUTSIDE} > ${SERVER} (tcp ${REMOTE} > ${MAPPED} syn)`,
  ]);
  assertEquals(test.wait(60_000), []);
});

Deno.test("RFC 5382 REQ-4: it is dropped in silence if the inside opens the connection meanwhile", () => {
  const test = new TestNat();
  test.in(tcp(REMOTE, MAPPED, "syn"));
  test.wait(3_000);
  assertEquals(test.mapped(tcp(INSIDE, REMOTE, "syn")), MAPPED);
  assertEquals(test.wait(60_000), []);
  assertEquals(test.in(tcp(REMOTE, MAPPED, "syn")).length, 1);
});

Deno.test("RFC 5382 REQ-5: a connection that stands lives for 2 hours and 4 minutes, one that opens or closes for 4 minutes", () => {
  const LASTING = 7_440_000;
  const TRANSITORY = 240_000;
  const cases: [string, (test: TestNat) => void, number][] = [
    ["opening", (test) => test.out(tcp(INSIDE, REMOTE, "syn")), TRANSITORY],
    ["established", open, LASTING],
    ["half closed", (test) => {
      open(test);
      test.out(tcp(INSIDE, REMOTE, "fin ack"));
    }, LASTING],
    ["closing", (test) => {
      open(test);
      test.out(tcp(INSIDE, REMOTE, "fin ack"));
      test.in(tcp(REMOTE, MAPPED, "fin ack"));
    }, TRANSITORY],
    ["reset", (test) => {
      open(test);
      test.in(tcp(REMOTE, MAPPED, "rst"));
    }, TRANSITORY],
  ];
  for (const [name, begin, lifeMs] of cases) {
    const test = new TestNat();
    begin(test);
    test.wait(lifeMs - 1);
    assertEquals(test.nat.size, 1, name);
    test.wait(200);
    assertEquals(test.nat.size, 0, name);
  }
});

Deno.test({
  name:
    "RFC 5382 REQ-6: not applicable: there is no application-level gateway to be turned off",
  fn() {
    const test = new TestNat();
    const payload = new TextEncoder().encode("PORT 192,168,1,2,19,136\r\n");
    open(test);
    test.out(tcp(INSIDE, REMOTE, "ack", { payload }));
    assertEquals(test.last.subarray(40), payload);
  },
});

Deno.test("RFC 5382 REQ-7: no port is overloaded", () => {
  const test = new TestNat();
  assertEquals(test.mapped(tcp(INSIDE, REMOTE, "syn")), MAPPED);
  const other = test.mapped(tcp(`${B}:5000`, `${STRANGER}:80`, "syn"));
  assertNotEquals(other, MAPPED);
});

Deno.test("RFC 5382 REQ-8: inside hosts reach each other by outside addresses, which is what they see", () => {
  const test = new TestNat({
    forwards: [{
      protocol: "tcp",
      outsidePort: 80,
      insideAddress: B,
      insidePort: 8080,
    }],
  });
  assertEquals(test.out(tcp(INSIDE, `${OUTSIDE}:80`, "syn")), [
    `in: tcp ${MAPPED} > ${B}:8080 syn`,
  ]);
  assertEquals(test.out(tcp(`${B}:8080`, MAPPED, "syn ack")), [
    `in: tcp ${OUTSIDE}:80 > ${INSIDE} syn ack`,
  ]);
  assertEquals(test.out(tcp(INSIDE, `${OUTSIDE}:80`, "ack")).length, 1);
});

Deno.test("RFC 5382 REQ-9: ICMP Destination Unreachable passes in both directions", () => {
  const test = new TestNat();
  open(test);
  test.out(tcp(INSIDE, REMOTE, "ack"));
  const sent = test.last;
  assertEquals(test.in(icmpAbout(STRANGER, OUTSIDE, sent, 3, 4)), [
    `in: icmp 3/4 ${STRANGER} > ${A} (tcp ${INSIDE} > ${REMOTE} ack)`,
  ]);
  test.in(tcp(REMOTE, MAPPED, "ack"));
  const received = test.last;
  assertEquals(test.out(icmpAbout(A, SERVER, received, 3, 4)), [
    `out: icmp 3/4 ${OUTSIDE} > ${SERVER} (tcp ${REMOTE} > ${MAPPED} ack)`,
  ]);
});

Deno.test("RFC 5382 REQ-10: an ICMP error ends no connection", () => {
  const test = new TestNat();
  open(test);
  test.out(tcp(INSIDE, REMOTE, "ack"));
  test.in(icmpAbout(STRANGER, OUTSIDE, test.last));
  assertEquals(state(test), "established");
  assertEquals(test.in(tcp(REMOTE, MAPPED, "ack")).length, 1);
});

Deno.test("RFC 5508 REQ-1: queries and their replies pass", () => {
  const test = new TestNat();
  assertEquals(test.out(icmp(`${A}:9`, SERVER, 8)), [
    `out: icmp 8 ${OUTSIDE} > ${SERVER} #9`,
  ]);
  const [second] = test.out(icmp(`${B}:9`, SERVER, 8));
  assertNotEquals(second, `out: icmp 8 ${OUTSIDE} > ${SERVER} #9`);
  assertEquals(test.in(icmp(`${SERVER}:9`, OUTSIDE, 0)), [
    `in: icmp 0 ${SERVER} > ${A} #9`,
  ]);
});

Deno.test("RFC 5508 REQ-2: a query is remembered for a minute", () => {
  const test = new TestNat();
  test.out(icmp(`${A}:9`, SERVER, 8));
  test.wait(59_999);
  assertEquals(test.in(icmp(`${SERVER}:9`, OUTSIDE, 0)).length, 1);
  test.wait(200);
  assertEquals(test.in(icmp(`${SERVER}:9`, OUTSIDE, 0)), []);
});

Deno.test("RFC 5508 REQ-3: an ICMP error with a wrong checksum, or about a header with one, is dropped", () => {
  const test = new TestNat();
  test.out(udp(INSIDE, REMOTE));
  const error = icmpAbout(STRANGER, OUTSIDE, test.last);
  error[23]! ^= 1;
  assertEquals(test.in(error), []);
  const sent = test.last.slice();
  sent[10]! ^= 1;
  assertEquals(test.in(icmpAbout(STRANGER, OUTSIDE, sent)), []);
  assertEquals(test.refusals, ["spoofed ICMP", "spoofed ICMP"]);
});

Deno.test("RFC 5508 REQ-4: an ICMP error about what was never sent is dropped", () => {
  const test = new TestNat();
  test.out(udp(INSIDE, REMOTE));
  for (
    const about of [
      udp(MAPPED, `${SERVER}:81`),
      udp(`${OUTSIDE}:5001`, REMOTE),
      tcp(MAPPED, REMOTE, "ack"),
      udp(`${STRANGER}:5000`, REMOTE),
    ]
  ) assertEquals(test.in(icmpAbout(SERVER, OUTSIDE, about)), []);
  assertEquals(new Set(test.refusals), new Set(["spoofed ICMP"]));
});

Deno.test("RFC 5508 REQ-5: an ICMP error from another inside host comes from the outside address", () => {
  const test = new TestNat();
  test.out(udp(INSIDE, REMOTE));
  test.in(udp(REMOTE, MAPPED));
  assertEquals(test.out(icmpAbout("192.168.1.1", SERVER, test.last)), [
    `out: icmp 3/3 ${OUTSIDE} > ${SERVER} (udp ${REMOTE} > ${MAPPED})`,
  ]);
});

Deno.test("RFC 5508 REQ-6: an ICMP error refreshes no session", () => {
  const test = new TestNat();
  test.out(udp(INSIDE, REMOTE));
  const sent = test.last;
  test.wait(299_000);
  test.in(icmpAbout(STRANGER, OUTSIDE, sent));
  test.wait(2_000);
  assertEquals(test.nat.size, 0);
});

Deno.test("RFC 5508 REQ-7: an ICMP error about a hairpinned packet goes back the same way", () => {
  const test = new TestNat({ type: "full-cone" });
  test.out(udp(`${B}:6000`, REMOTE));
  test.out(udp(INSIDE, `${OUTSIDE}:6000`));
  assertEquals(test.out(icmpAbout(B, OUTSIDE, test.last)), [
    `in: icmp 3/3 ${OUTSIDE} > ${A} (udp ${INSIDE} > ${OUTSIDE}:6000)`,
  ]);
});

Deno.test("RFC 5508 REQ-8: what cannot get a mapping is answered as prohibited", () => {
  const test = new TestNat({ ports: [5000, 5000] });
  test.out(udp(INSIDE, REMOTE));
  assertEquals(test.out(udp(`${B}:5000`, REMOTE)), [
    `in: icmp 3/13 ${OUTSIDE} > ${B} (udp ${B}:5000 > ${REMOTE})`,
  ]);
});

Deno.test("RFC 5508 REQ-10: Time Exceeded passes; a redirect does not", () => {
  const test = new TestNat();
  test.out(udp(INSIDE, REMOTE));
  const sent = test.last;
  assertEquals(test.in(icmpAbout(STRANGER, OUTSIDE, sent, 11, 0)).length, 1);
  assertEquals(test.in(icmpAbout(STRANGER, OUTSIDE, sent, 5, 1)), []);
});
