import { assertEquals, assertNotEquals } from "@std/assert";
import {
  formatAddress,
  sourceNetwork,
  unmapAddress,
} from "../../../src/proto/address.ts";

Deno.test("unmapAddress() takes the IPv4 address out of a mapped one alone", () => {
  assertEquals(unmapAddress("::ffff:127.0.0.1"), "127.0.0.1");
  assertEquals(unmapAddress("::FFFF:10.0.0.1"), "10.0.0.1");
  for (
    const other of ["127.0.0.1", "::1", "::ffff:1", "64:ff9b::192.0.2.1", ""]
  ) assertEquals(unmapAddress(other), other);
});

Deno.test("sourceNetwork() counts an IPv4 address by itself, mapped or not", () => {
  assertEquals(sourceNetwork("192.0.2.7"), "192.0.2.7");
  assertEquals(sourceNetwork("::ffff:192.0.2.7"), "192.0.2.7");
});

Deno.test("sourceNetwork() counts an IPv6 address by its first 64 bits", () => {
  const network = "2001:db8:1:2::/64";
  for (
    const address of [
      "2001:db8:1:2::",
      "2001:db8:1:2::1",
      "2001:0DB8:0001:0002:ffff:ffff:ffff:ffff",
      "2001:db8:1:2:3::4",
      "2001:db8:1:2:a:b:c:d",
    ]
  ) assertEquals(sourceNetwork(address), network, address);
  assertNotEquals(sourceNetwork("2001:db8:1:3::1"), network);
});

Deno.test("sourceNetwork() fills in zeros wherever they were left out", () => {
  assertEquals(sourceNetwork("::"), "0:0:0:0::/64");
  assertEquals(sourceNetwork("::1"), "0:0:0:0::/64");
  assertEquals(sourceNetwork("fe80::1%eth0"), "fe80:0:0:0::/64");
  assertEquals(sourceNetwork("2001:db8::5:6:7:8"), "2001:db8:0:0::/64");
  assertEquals(sourceNetwork("2001::3:4:5:6:7:8"), "2001:0:3:4::/64");
});

Deno.test("formatAddress() puts IPv6 in brackets and shows mapped IPv4 plainly", () => {
  assertEquals(formatAddress("192.0.2.7", 80), "192.0.2.7:80");
  assertEquals(formatAddress("::ffff:192.0.2.7", 80), "192.0.2.7:80");
  assertEquals(formatAddress("2001:db8::1", 80), "[2001:db8::1]:80");
});
