import { assertEquals } from "@std/assert";
import { icmpError } from "../../../../src/proto/ip_packet/icmp.ts";
import {
  foldSum,
  read16,
  write16,
} from "../../../../src/proto/ip_packet/checksum.ts";
import {
  fragmentIpv4,
  Ipv4Packet,
  ipv4PseudoSum,
} from "../../../../src/proto/ip_packet/ipv4.ts";
import { checksumAt } from "../../../../src/proto/ip_packet/transport.ts";
import { readIpv4 } from "../../../../src/proto/nat/options.ts";
import {
  A,
  icmpAbout,
  OUTSIDE,
  SERVER,
  show,
  tcp,
  udp,
} from "../../../support/nat.ts";

Deno.test("Ipv4Packet.parse() refuses every packet that is cut off", () => {
  const bytes = udp(`${A}:1`, `${SERVER}:2`);
  for (let end = 0; end < bytes.length; end++) {
    assertEquals(Ipv4Packet.parse(bytes.subarray(0, end)), undefined);
  }
  const padded = new Uint8Array(46);
  padded.set(bytes);
  assertEquals(Ipv4Packet.parse(padded)?.bytes.length, bytes.length);
});

Deno.test("Ipv4Packet.parse() refuses another version and impossible lengths", () => {
  for (const [at, value] of [[0, 0x65], [0, 0x44], [3, 19], [2, 0xff]]) {
    const bytes = udp(`${A}:1`, `${SERVER}:2`);
    bytes[at!] = value!;
    assertEquals(Ipv4Packet.parse(bytes), undefined);
  }
});

Deno.test("Ipv4Packet.rewrite() keeps all checksums right, and the absence of one", () => {
  for (const noChecksum of [false, true]) {
    const bytes = udp(`${A}:1`, `${SERVER}:2`, { noChecksum });
    const packet = Ipv4Packet.parse(bytes)!;
    packet.rewrite("source", readIpv4(OUTSIDE), 5000);
    packet.rewrite("destination", readIpv4(A), 6000);
    assertEquals(show(bytes), `udp ${OUTSIDE}:5000 > ${A}:6000`);
    assertEquals(bytes[26] === 0 && bytes[27] === 0, noChecksum);
  }
});

Deno.test("Ipv4Packet.rewrite() keeps a partial checksum the sum of the pseudo header", () => {
  for (
    const bytes of [
      udp(`${A}:1`, `${SERVER}:2`),
      tcp(`${A}:1`, `${SERVER}:2`, "ack"),
    ]
  ) {
    const packet = Ipv4Packet.parse(bytes, false, true)!;
    const length = bytes.length - 20;
    const at = 20 + checksumAt(packet.protocol);
    const pseudo = () =>
      foldSum(
        ipv4PseudoSum(
          packet.source,
          packet.destination,
          packet.protocol,
          length,
        ),
      );
    write16(bytes, at, pseudo());
    packet.rewrite("source", readIpv4(OUTSIDE), 5000);
    packet.rewrite("destination", readIpv4(A), 6000);
    assertEquals(read16(bytes, at), pseudo());
  }
});

Deno.test("fragmentIpv4() cuts at multiples of eight, also what is a fragment already", () => {
  const payload = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const whole = udp(`${A}:1`, `${SERVER}:2`, { payload });
  const put = new Uint8Array(whole.length);
  let last = false;
  for (const part of fragmentIpv4(Ipv4Packet.parse(whole)!, 500)) {
    for (const piece of fragmentIpv4(Ipv4Packet.parse(part)!, 100)) {
      const packet = Ipv4Packet.parse(piece)!;
      assertEquals(piece.length <= 100 && packet.isHeaderSound, true);
      put.set(piece.subarray(20), 20 + packet.fragmentOffset);
      last = !packet.moreFragments;
    }
  }
  assertEquals(put.subarray(20), whole.subarray(20));
  assertEquals(last, true);
});

Deno.test("icmpError() says nothing about errors, later fragments, and packets from nowhere", () => {
  const options = { from: readIpv4(OUTSIDE), type: 3, code: 3 };
  const about = (bytes: Uint8Array<ArrayBuffer>) =>
    icmpError(Ipv4Packet.parse(bytes)!, options);
  const segment = tcp(`${A}:1`, `${SERVER}:2`, "syn");
  assertEquals(
    show(about(segment)!),
    `icmp 3/3 ${OUTSIDE} > ${A} (tcp ${A}:1 > ${SERVER}:2 syn)`,
  );
  assertEquals(about(icmpAbout(A, SERVER, segment)), undefined);
  assertEquals(about(udp("0.0.0.0:1", `${SERVER}:2`)), undefined);
  assertEquals(about(udp("224.0.0.1:1", `${SERVER}:2`)), undefined);
  const payload = new Uint8Array(1000);
  const packet = Ipv4Packet.parse(udp(`${A}:1`, `${SERVER}:2`, { payload }))!;
  const [, second] = fragmentIpv4(packet, 600);
  assertEquals(about(second as Uint8Array<ArrayBuffer>), undefined);
});
