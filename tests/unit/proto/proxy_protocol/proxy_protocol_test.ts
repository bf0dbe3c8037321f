import { assertEquals, assertThrows } from "@std/assert";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import type { ProxyHeader } from "../../../../src/proto/proxy_protocol/header.ts";
import { readProxyHeader } from "../../../../src/proto/proxy_protocol/read.ts";
import { writeProxyHeader } from "../../../../src/proto/proxy_protocol/write.ts";
import { checkProperty, fc } from "../../../support/property.ts";
import { hex, utf8 } from "../../../support/three_ways.ts";

/** Reads a header byte by byte, and asserts that it is read neither too early nor too far. */
function read(bytes: Uint8Array): ProxyHeader {
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(readProxyHeader(bytes.subarray(0, length)), undefined);
  }
  const longer = new Uint8Array([...bytes, 0x50, 0x52, 0]);
  const found = readProxyHeader(longer);
  assertEquals(found?.length, bytes.length);
  return found!.header;
}

function refuses(bytes: Uint8Array, reason: string): void {
  assertThrows(() => readProxyHeader(bytes), RemoteProtocolError, reason);
}

const V4 = {
  source: { hostname: "192.0.2.7", port: 4242 },
  destination: { hostname: "198.51.100.1", port: 443 },
};
const V6 = {
  source: { hostname: "2001:db8::7", port: 65535 },
  destination: { hostname: "::1", port: 1 },
};
const TLS = {
  isTls: true,
  certificateOnConnection: true,
  certificateInSession: false,
  isVerified: true,
  version: "TLSv1.3",
  commonName: "ada",
  cipher: "TLS_AES_256_GCM_SHA384",
  signatureAlgorithm: "ecdsa-with-SHA256",
  keyAlgorithm: "EC256",
};

Deno.test("readProxyHeader() reads the lines of version 1", () => {
  const v1 = { version: 1, command: "proxy", transport: "stream" } as const;
  for (
    const [line, header] of [
      ["PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n", { ...v1, ...V4 }],
      ["PROXY TCP6 2001:db8::7 ::1 65535 1\r\n", { ...v1, ...V6 }],
      ["PROXY UNKNOWN\r\n", { ...v1, transport: "unknown" }],
      [
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
        { ...v1, transport: "unknown" },
      ],
    ] as const
  ) assertEquals(read(utf8(line)), header);
});

Deno.test("readProxyHeader() refuses lines that are not of version 1", () => {
  for (
    const line of [
      "PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\n",
      "PROXY TCP4 192.0.2.7 198.51.100.1 4242\r\n",
      "PROXY  TCP4 192.0.2.7 198.51.100.1 4242 443\r\n",
      "PROXY TCP4 192.0.2.7 198.51.100.1 04242 443\r\n",
      "PROXY TCP4 192.0.2.7 198.51.100.1 4242 65536\r\n",
      "PROXY TCP4 2001:db8::7 ::1 4242 443\r\n",
      "PROXY TCP6 192.0.2.7 198.51.100.1 4242 443\r\n",
      "PROXY TCP4 192.0.2.007 198.51.100.1 4242 443\r\n",
      "PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n",
      "PROXY UDP4 192.0.2.7 198.51.100.1 4242 443\r\n",
      "PROXY UNKNOWNX\r\n",
    ]
  ) refuses(utf8(line), "line");
  refuses(utf8(`PROXY UNKNOWN ${"x".repeat(100)}`), "107 bytes");
  refuses(utf8("GET / HTTP/1.1\r\n"), "there is none");
  refuses(hex("0d0a0d0a000d0a515549540b"), "there is none");
});

Deno.test("readProxyHeader() reads what a specification's bytes say", () => {
  const header = read(hex(`
    0d0a0d0a000d0a515549540a 21 11 000c
    c0000207 c6336401 1092 01bb`));
  assertEquals(header, {
    version: 2,
    command: "proxy",
    transport: "stream",
    ...V4,
  });
  const local = read(hex("0d0a0d0a000d0a515549540a 20 00 0000"));
  assertEquals(local, { version: 2, command: "local", transport: "unknown" });
});

Deno.test("readProxyHeader() passes over addresses of families that it does not know", () => {
  const header = read(hex("0d0a0d0a000d0a515549540a 21 41 0003 aabbcc"));
  assertEquals(header, { version: 2, command: "proxy", transport: "unknown" });
});

Deno.test("readProxyHeader() refuses what is not of version 2", () => {
  const start = "0d0a0d0a000d0a515549540a";
  refuses(hex(`${start} 11`), "the version is 1");
  refuses(hex(`${start} 22`), "the command is 2");
  refuses(hex(`${start} 21 11 000b ${"00".repeat(11)}`), "too few");
  refuses(hex(`${start} 21 11 ffff`), "maximum is 4096");
  refuses(
    hex(`${start} 21 11 000f ${"00".repeat(12)} 02 0001`),
    "longer than what holds it",
  );
  refuses(
    hex(`${start} 21 11 000e ${"00".repeat(12)} 0200`),
    "longer than what holds it",
  );
  refuses(
    hex(`${start} 21 11 0013 ${"00".repeat(12)} 030004 00000001`),
    "checksum is wrong",
  );
  refuses(
    hex(`${start} 21 11 0090 ${"00".repeat(12)} 050081${"00".repeat(129)}`),
    "unique id has 129 bytes",
  );
});

Deno.test("writeProxyHeader() and readProxyHeader() undo each other, any bit flipped is noticed by the checksum", () => {
  const headers: ProxyHeader[] = [
    { version: 2, command: "proxy", transport: "stream", ...V4 },
    { version: 2, command: "proxy", transport: "datagram", ...V6 },
    {
      version: 2,
      command: "proxy",
      transport: "stream",
      source: { path: "/run/client.sock" },
      destination: { path: "/run/service.sock" },
    },
    {
      version: 2,
      command: "proxy",
      transport: "stream",
      ...V6,
      alpn: utf8("h2"),
      authority: "harbour.example",
      uniqueId: new Uint8Array(128).fill(7),
      tls: TLS,
      namespace: "blue",
      others: [{ type: 0xe0, value: utf8("custom") }],
    },
  ];
  for (const header of headers) {
    assertEquals(read(writeProxyHeader(header)), header);
    const bytes = writeProxyHeader(header, { checksum: true });
    assertEquals(read(bytes), header);
    for (let at = 16; at < bytes.length; at++) {
      // Without its type there is no checksum.
      if (at === bytes.length - 7) continue;
      const flipped = bytes.slice();
      flipped[at]! ^= 1;
      assertThrows(() => readProxyHeader(flipped), RemoteProtocolError);
    }
  }
  for (const addresses of [V4, V6]) {
    const header = {
      version: 1,
      command: "proxy",
      transport: "stream",
      ...addresses,
    } as const;
    assertEquals(read(writeProxyHeader(header)), header);
  }
});

Deno.test("writeProxyHeader() refuses what does not fit", () => {
  const header = { version: 2, command: "proxy", transport: "stream" } as const;
  for (
    const wrong of [
      { source: V4.source, destination: V6.destination },
      { source: { hostname: "localhost", port: 1 }, destination: V4.source },
      { uniqueId: new Uint8Array(129) },
      { alpn: new Uint8Array(65536) },
      { source: { path: "x".repeat(109) }, destination: { path: "" } },
    ]
  ) {
    assertThrows(() => writeProxyHeader({ ...header, ...wrong }), RangeError);
  }
});

Deno.test("readProxyHeader() answers any bytes with a header, a wish for more, or a refusal", () => {
  const start = hex("0d0a0d0a000d0a515549540a");
  checkProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    for (const input of [bytes, new Uint8Array([...start, ...bytes])]) {
      try {
        const found = readProxyHeader(input);
        if (found !== undefined) {
          assertEquals(found.length <= input.length, true);
        }
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
      }
    }
  });
});
