import { assertEquals, assertThrows } from "@std/assert";
import { connect } from "node:tls";
import { Duplex } from "node:stream";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { readClientHello } from "../../../../src/proto/tls/client_hello.ts";
import { checkProperty, fc } from "../../../support/property.ts";
import { hex, utf8 } from "../../../support/three_ways.ts";

/** The first bytes that a real TLS client sends. */
async function firstFlight(
  options: { servername?: string; ALPNProtocols?: string[] },
): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const socket = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      resolve(Uint8Array.from(chunk));
      done();
    },
  });
  const client = connect({ ...options, socket });
  client.on("error", () => {});
  const bytes = await promise;
  client.destroy();
  return bytes;
}

Deno.test("readClientHello() reads what a real client asks for, however it is cut", async () => {
  const bytes = await firstFlight({
    servername: "Harbour.Example",
    ALPNProtocols: ["h2", "portolan"],
  });
  const expected = { serverName: "harbour.example", alpn: ["h2", "portolan"] };
  assertEquals(readClientHello(bytes), expected);
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(readClientHello(bytes.subarray(0, length)), undefined);
  }
  assertEquals(readClientHello(new Uint8Array([...bytes, 1, 2])), expected);
});

Deno.test("readClientHello() joins a hello that comes in many records", async () => {
  const bytes = await firstFlight({ servername: "a.example" });
  const message = bytes.subarray(5);
  const records: number[] = [];
  for (let at = 0; at < message.length; at += 7) {
    const part = message.subarray(at, at + 7);
    records.push(22, 3, 1, 0, part.length, ...part);
  }
  const { serverName } = readClientHello(Uint8Array.from(records))!;
  assertEquals(serverName, "a.example");
});

Deno.test("readClientHello() takes a client without extensions", () => {
  const body = `0303 ${"00".repeat(32)} 00 0002 1301 01 00`;
  const hello = hex(`16 0301 002d 01 000029 ${body}`);
  assertEquals(readClientHello(hello), { serverName: undefined, alpn: [] });
});

Deno.test("readClientHello() refuses what is no ClientHello", () => {
  for (
    const bytes of [
      utf8("GET / HTTP/1.1\r\n"),
      utf8("\0\0\0\x0f"),
      hex("15 0301 0002 0228"),
      hex("16 0201 0005"),
      hex("16 0301 0000"),
      hex("16 0301 4001"),
      hex("16 0301 0004 02000000"),
      hex("16 0301 0004 01ffffff"),
      hex("16 0301 0006 01000002 0303"),
    ]
  ) assertThrows(() => readClientHello(bytes), RemoteProtocolError);
});

Deno.test("readClientHello() answers any bytes with a hello, a wish for more, or a refusal", () => {
  checkProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const record = [22, 3, 1, 0, bytes.length + 4, 1, 0, 0, bytes.length];
    for (const input of [bytes, Uint8Array.from([...record, ...bytes])]) {
      try {
        readClientHello(input);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
      }
    }
  });
});
