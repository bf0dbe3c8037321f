import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { json } from "../../../src/proto/codec/json.ts";
import { msgpack } from "../../../src/proto/codec/msgpack.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { FrameReader } from "../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../src/proto/framing/length_prefixed.ts";
import { varintPrefixed } from "../../../src/proto/framing/varint_prefixed.ts";
import { lines } from "../../../src/proto/framing/delimited.ts";
import {
  type Negotiated,
  negotiated,
  type NegotiatedOptions,
} from "../../../src/proto/hello.ts";
import { HelloError } from "../../../src/proto/hello/error.ts";
import { agree, sayHello, secrets } from "../../support/hello.ts";

const framing = lengthPrefixed;
const codecs = [json()];

function wire(options: Partial<NegotiatedOptions<unknown>> = {}) {
  return negotiated({ framing, codecs, ...options });
}

/** The code of each side's error. */
function codes(
  client: Negotiated<unknown>,
  server: Negotiated<unknown>,
): (string | undefined)[] {
  const { clientError, serverError } = sayHello(client, server);
  return [clientError?.code, clientError?.peerCode, serverError?.code];
}

Deno.test("negotiated() agrees on the one thing that both can do by default", () => {
  assertEquals(agree(wire(), wire()), {
    version: 1,
    codec: "json",
    compression: "none",
    checksum: "none",
    maxFrameBytes: 1 << 20,
  });
});

Deno.test("negotiated() agrees on the highest version and on what the server prefers", () => {
  const client = wire({
    versions: [1, 2, 3],
    codecs: [json(), msgpack()],
    compressions: ["none", "brotli", "gzip", "zstd"],
    checksums: ["none", "crc32c"],
  });
  const server = wire({
    versions: [4, 2, 3],
    codecs: [text(), msgpack(), json()] as never,
    compressions: ["zstd", "gzip", "none"],
    checksums: ["crc32c", "none"],
  });
  assertEquals(agree(client, server), {
    version: 3,
    codec: "msgpack",
    compression: "zstd",
    checksum: "crc32c",
    maxFrameBytes: 1 << 20,
  });
});

Deno.test("negotiated() talks as agreed on, in both directions", () => {
  const message = { say: "ahoy ".repeat(500) };
  for (const framing of [lengthPrefixed, varintPrefixed]) {
    const options = {
      framing,
      codecs: [msgpack()],
      compressions: ["zstd"],
      checksums: ["crc32c"],
    } as const;
    const { client, server } = sayHello(wire(options), wire(options));
    const [clientWire, serverWire] = [client, server].map((it) =>
      it.outcome!.wire
    );
    assertEquals(clientWire!.codec.name, "msgpack+zstd+crc32c");
    const frame = encodeFrame(clientWire!, message);
    assert(frame.length < 100);
    assertEquals([...new FrameReader(serverWire!).push(frame)], [message]);
    assertEquals(encodeFrame(serverWire!, message), frame);
  }
});

Deno.test("negotiated() says hello in lines too", () => {
  const client = wire({ framing: lines });
  const hello = client.hello("client", secrets(1));
  const offer = new TextDecoder().decode(hello.takeOutput());
  assert(/^portolan\/1 offer \{.*\}\n$/.test(offer), offer);
  assertEquals(agree(client, wire({ framing: lines })).codec, "json");
});

Deno.test("negotiated() agrees on the server's frame limit, or a step below the client's", () => {
  const limit = (client: number, server: number) =>
    agree(wire({ maxFrameBytes: client }), wire({ maxFrameBytes: server }))
      .maxFrameBytes;
  assertEquals(limit(50_000, 50_000), 50_000);
  assertEquals(limit(50_001, 50_000), 50_000);
  assertEquals(limit(49_999, 50_000), 16_384);
  assertEquals(limit(16_384, 50_000), 16_384);
  assertEquals(limit(16_383, 50_000), 4096);
  assertEquals(limit(1024, 50_000), 1024);
  assertEquals(limit(Number.MAX_SAFE_INTEGER, 1024), 1024);
});

Deno.test("negotiated() holds both directions to the frame limit agreed on", () => {
  const { client, server } = sayHello(wire({ maxFrameBytes: 2000 }), wire());
  for (const { outcome } of [client, server]) {
    const { framing } = outcome!.wire;
    assertEquals(framing.maxFrameBytes, 1024);
    assertEquals(framing.deframer().maxFrameBytes, 1024);
  }
});

Deno.test("negotiated() gives equal agreements of a server one wire", () => {
  const server = wire({ versions: [1, 2], maxFrameBytes: 50_000 });
  const outcomeFor = (options: Partial<NegotiatedOptions<unknown>>) =>
    sayHello(wire(options), server).server.outcome!;
  const one = outcomeFor({});
  assertStrictEquals(outcomeFor({ maxFrameBytes: 60_000 }), one);
  const newer = outcomeFor({ versions: [2] });
  assertEquals(newer.agreement?.version, 2);
  assertStrictEquals(newer.wire, one.wire);
  const wires = new Set<unknown>();
  for (let bytes = 1024; bytes < 50_000; bytes += 100) {
    wires.add(outcomeFor({ maxFrameBytes: bytes }).wire);
  }
  assertEquals(wires.size, 3);
});

Deno.test("negotiated() refuses what has nothing in common, and tells the client why", () => {
  const cases: [
    Partial<NegotiatedOptions<unknown>>,
    Partial<NegotiatedOptions<unknown>>,
    string,
    string,
  ][] = [
    [{ versions: [1, 2] }, { versions: [3] }, "no_common_version", "[3]"],
    [{}, { codecs: [msgpack()] }, "no_common_codec", '["msgpack"]'],
    [
      { compressions: ["zstd"] },
      { compressions: ["gzip", "none"] },
      "no_common_compression",
      '["gzip","none"]',
    ],
    [{ checksums: ["crc32c"] }, {}, "no_common_checksum", '["none"]'],
  ];
  for (const [client, server, code, ours] of cases) {
    const said = sayHello(wire(client), wire(server));
    assertEquals(said.serverError?.code, code);
    assert(said.serverError?.message.includes(`ours are ${ours}`));
    assertEquals(said.clientError?.code, "refused");
    assertEquals(said.clientError?.peerCode, code);
    const quoted = JSON.stringify(said.serverError?.message);
    assert(said.clientError?.message.endsWith(`${quoted}`));
  }
});

Deno.test("negotiated() agrees when both have the key, and only then", () => {
  const key = new Uint8Array(16).fill(9);
  const other = new Uint8Array(16).fill(8);
  assertEquals(codes(wire({ key }), wire({ key })), [
    undefined,
    undefined,
    undefined,
  ]);
  for (const [client, server] of [[key, other], [key, undefined]]) {
    const outcome = codes(
      wire(client && { key: client }),
      wire(server && { key: server }),
    );
    assertEquals(outcome, ["tampered", undefined, "refused"]);
  }
  assertEquals(codes(wire(), wire({ key })), [
    "tampered",
    undefined,
    "refused",
  ]);
});

Deno.test("negotiated() lets clients begin without a hello when told what they talk", () => {
  const server = wire({ withoutHello: json(), maxFrameBytes: 50_000 });
  const first = { say: "x".repeat(40_000) };
  const plain = lengthPrefixed(json(), { maxFrameBytes: 50_000 });
  const frame = encodeFrame(plain, first);
  const hello = server.hello("server", secrets(1));
  hello.handle(frame.subarray(0, 100));
  assertEquals(hello.outcome, undefined);
  hello.handle(frame.subarray(100));
  assertEquals(hello.outcome?.agreement, undefined);
  assertEquals(hello.takeOutput().length, 0);
  const reader = new FrameReader(hello.outcome!.wire);
  assertEquals([...reader.push(hello.rest)], [first]);
  assertEquals(agree(wire(), server).version, 1);
});

Deno.test("Negotiated.refusal() turns a client away", () => {
  const hello = wire().hello("client", secrets(1));
  const refusal = wire().refusal("maxConnections", "the server is full");
  const error = assertThrows(() => hello.handle(refusal), HelloError);
  assertEquals([error.code, error.peerCode], ["refused", "maxConnections"]);
  assertEquals(
    error.message,
    'Cannot agree on a wire: the peer refused: "maxConnections": "the server is full"',
  );
});

Deno.test("negotiated() throws when an option is wrong", () => {
  const wrong: Partial<NegotiatedOptions<unknown>>[] = [
    { versions: [] },
    { versions: [0] },
    { versions: [1.5] },
    { versions: [2, 2] },
    { codecs: [] },
    { codecs: [json(), json()] },
    { codecs: [{ ...json(), name: "my json" }] },
    { compressions: [] },
    { compressions: ["lzma" as "zstd"] },
    { checksums: ["md5" as "crc32c"] },
    { maxFrameBytes: 1023 },
    { maxFrameBytes: NaN },
    { key: new Uint8Array(15) },
  ];
  for (const options of wrong) {
    assertThrows(() => wire(options), RangeError, "Cannot negotiate");
  }
  const key = new Uint8Array(16);
  assertThrows(
    () => wire({ key, withoutHello: json() }),
    TypeError,
    "a client without a hello gets around",
  );
});
