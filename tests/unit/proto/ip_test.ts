import { assertEquals, assertThrows } from "@std/assert";
import { formatIp, Networks, parseIp } from "../../../src/proto/ip.ts";
import { checkProperty, fc } from "../../support/property.ts";

Deno.test("parseIp() reads every spelling of RFC 4291, and formatIp() writes that of RFC 5952", () => {
  for (
    const [text, canonical] of [
      ["0.0.0.0", "0.0.0.0"],
      ["255.255.255.255", "255.255.255.255"],
      ["::", "::"],
      ["::1", "::1"],
      ["2001:0DB8:0:0:0:0:2:1", "2001:db8::2:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["fe80::1%eth0", "fe80::1"],
      ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
      ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ] as const
  ) {
    const bytes = parseIp(text);
    assertEquals(bytes && formatIp(bytes), canonical, text);
  }
});

Deno.test("parseIp() refuses what is no address", () => {
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "01.2.3.4",
      "1.2.3.256",
      " 1.2.3.4",
      "localhost",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::",
      "12345::",
      "g::",
      "::1.2.3.4.5",
      "1.2.3.4::",
      "fe80::1%",
    ]
  ) assertEquals(parseIp(text), undefined, text);
});

Deno.test("parseIp() and formatIp() undo each other", () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((bytes) => Uint8Array.from(bytes)),
  );
  checkProperty(address, (bytes) => {
    assertEquals(parseIp(formatIp(bytes)), bytes);
  });
});

Deno.test("Networks has what is in one of them, to the bit", () => {
  const networks = new Networks(["10.0.0.0/9", "192.0.2.7", "2001:db8::/33"]);
  for (
    const [address, isIn] of [
      ["10.127.255.255", true],
      ["10.128.0.0", false],
      ["::ffff:10.0.0.1", true],
      ["192.0.2.7", true],
      ["192.0.2.8", false],
      ["2001:db8:7fff::1", true],
      ["2001:db8:8000::1", false],
      ["nonsense", false],
    ] as const
  ) assertEquals(networks.has(address), isIn, address);
  assertEquals(new Networks(["0.0.0.0/0"]).has("::1"), false);
});

Deno.test("Networks refuses what is no network", () => {
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "/8"]) {
    assertThrows(() => new Networks([text]), SyntaxError, `"${text}"`);
  }
});
