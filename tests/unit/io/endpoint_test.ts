import { assertEquals, assertThrows } from "@std/assert";
import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
} from "../../../src/io/endpoint.ts";

const KNOWN: [string, Endpoint][] = [
  [
    "tcp://127.0.0.1:9999",
    { scheme: "tcp", hostname: "127.0.0.1", port: 9999 },
  ],
  ["tcp://[::]:0", { scheme: "tcp", hostname: "::", port: 0 }],
  ["tls://hub.example:65535", {
    scheme: "tls",
    hostname: "hub.example",
    port: 65535,
  }],
  ["unix:/run/hub.sock", { scheme: "unix", path: "/run/hub.sock" }],
  ["unix:hub.sock", { scheme: "unix", path: "hub.sock" }],
  ["unix:/tmp/a b:c", { scheme: "unix", path: "/tmp/a b:c" }],
  ["memory:hub", { scheme: "memory", name: "hub" }],
  ["memory:a:b/c", { scheme: "memory", name: "a:b/c" }],
];

Deno.test("parseEndpoint() reads what formatEndpoint() writes", () => {
  for (const [text, endpoint] of KNOWN) {
    assertEquals(parseEndpoint(text), endpoint);
    assertEquals(formatEndpoint(endpoint), text);
  }
});

Deno.test("parseEndpoint() takes the long forms too", () => {
  assertEquals(parseEndpoint("unix:///run/x"), {
    scheme: "unix",
    path: "/run/x",
  });
  assertEquals(
    parseEndpoint("tcp://localhost:1/"),
    parseEndpoint("tcp://localhost:1"),
  );
});

Deno.test("parseEndpoint() refuses everything else and shows it", () => {
  for (
    const text of [
      "",
      "9999",
      "127.0.0.1:9999",
      "tcp:127.0.0.1:9999",
      "tcp://127.0.0.1",
      "tcp://:9999",
      "tcp://127.0.0.1:",
      "tcp://127.0.0.1:99999",
      "tcp://127.0.0.1:123456",
      "tcp://127.0.0.1:-1",
      "tcp://127.0.0.1:1/path",
      "tcp://127.0.0.1:1?query",
      "tcp://user@host:1",
      "tcp://::1:80",
      "tcp://[::1:80",
      "tcp://a b:80",
      "udp://127.0.0.1:1",
      "http://127.0.0.1:1",
      "TCP://127.0.0.1:1",
      "unix:",
      "unix://run/hub.sock",
      "memory:",
      "memory://hub",
    ]
  ) {
    const error = assertThrows(() => parseEndpoint(text), SyntaxError);
    assertEquals(
      error.message.startsWith("Cannot parse endpoint: ") &&
        error.message.endsWith(`current value is "${text}"`),
      true,
      error.message,
    );
  }
});
