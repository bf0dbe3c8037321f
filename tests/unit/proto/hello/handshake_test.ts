import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { json } from "../../../../src/proto/codec/json.ts";
import { FrameReader } from "../../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../../src/proto/framing/length_prefixed.ts";
import { negotiated } from "../../../../src/proto/hello.ts";
import {
  HelloError,
  type HelloErrorCode,
} from "../../../../src/proto/hello/error.ts";
import type {
  Hello,
  HelloRole,
} from "../../../../src/proto/hello/handshake.ts";
import { sayHello, secrets } from "../../../support/hello.ts";
import { utf8 } from "../../../support/three_ways.ts";

const wire = negotiated({
  framing: lengthPrefixed,
  versions: [1, 2],
  codecs: [json()],
  compressions: ["zstd", "none"],
  checksums: ["crc32c", "none"],
});
const payloads = lengthPrefixed(bytes());

function start(role: HelloRole): Hello<unknown> {
  return wire.hello(role, secrets(role === "client" ? 1 : 2));
}

/** The payloads of framed bytes, as texts. */
function texts(framed: Uint8Array): string[] {
  const reader = new FrameReader(payloads).push(framed);
  return [...reader].map((payload) => new TextDecoder().decode(payload));
}

function framed(text: string): Uint8Array {
  return encodeFrame(payloads, utf8(text));
}

/** The error of a side that gets `bytes`, and the code that it tells its peer. */
function refused(hello: Hello<unknown>, bytes: Uint8Array): {
  error: HelloError;
  told: string | undefined;
} {
  const error = assertThrows(() => hello.handle(bytes), HelloError);
  const last = texts(hello.takeOutput()).at(-1);
  const told = /^portolan\/1 refusal \{"code":"([a-z_]+)"/.exec(last ?? "");
  return { error, told: told?.[1] };
}

const NONCE = "02".repeat(16);
const offer = {
  versions: [1, 2],
  codecs: ["json"],
  compressions: ["zstd", "none"],
  checksums: ["crc32c", "none"],
  maxFrameBytes: 1 << 20,
  nonce: NONCE,
};
const choice = {
  version: 2,
  codec: "json",
  compression: "zstd",
  checksum: "crc32c",
  maxFrameBytes: 1 << 20,
  nonce: NONCE,
};

Deno.test("Hello says an offer, a choice and two proofs", () => {
  const [client, server] = [start("client"), start("server")];
  const flight1 = client.takeOutput();
  server.handle(flight1);
  const flight2 = server.takeOutput();
  client.handle(flight2);
  const flight3 = client.takeOutput();
  server.handle(flight3);
  assertEquals(texts(flight1), [
    'portolan/1 offer {"versions":[2,1],"codecs":["json"],"compressions":["zstd","none"],' +
    `"checksums":["crc32c","none"],"maxFrameBytes":1048576,"nonce":"${
      "01".repeat(16)
    }"}`,
  ]);
  assertEquals(texts(flight2), [
    'portolan/1 choice {"version":2,"codec":"json","compression":"zstd","checksum":"crc32c",' +
    `"maxFrameBytes":1048576,"nonce":"${NONCE}"}`,
    'portolan/1 proof {"proof":"f89dc98f7756de43ed430c61775d6210f93b32e238b197470db1f69e548ee883"}',
  ]);
  assertEquals(texts(flight3), [
    'portolan/1 proof {"proof":"bb542dd55600b350ab6877e988be7fdab6ca3ccd9f0058f000ad0b56da8fdeee"}',
  ]);
  assert(client.outcome !== undefined && server.outcome !== undefined);
});

Deno.test("Hello comes to the same byte by byte, and leaves what follows it", () => {
  const [client, server] = [start("client"), start("server")];
  const feed = (to: Hello<unknown>, bytes: Uint8Array) => {
    for (const byte of bytes) to.handle(Uint8Array.of(byte));
  };
  feed(server, client.takeOutput());
  feed(client, server.takeOutput());
  const message = encodeFrame(client.outcome!.wire, { say: "ahoy" });
  server.handle(
    new Uint8Array([...client.takeOutput(), ...message, ...message]),
  );
  const reader = new FrameReader(server.outcome!.wire).push(server.rest);
  assertEquals([...reader], [{ say: "ahoy" }, { say: "ahoy" }]);
  assertEquals(client.rest.length, 0);
});

Deno.test("Hello notices a box in between that takes options out of the offer", () => {
  for (
    const [better, rest] of [
      ['"versions":[2,1]', '"versions":[1]'],
      ['["zstd","none"]', '["none"]'],
      ['["crc32c","none"]', '["none"]'],
      ['"maxFrameBytes":1048576', '"maxFrameBytes":4096'],
    ]
  ) {
    const said = sayHello(
      wire,
      wire,
      (bytes, to) =>
        to === "client" ? bytes : framed(
          texts(bytes)[0]!.replace(better!, rest!),
        ),
    );
    assertEquals(said.clientError?.code, "tampered", better);
    assertEquals(said.serverError?.peerCode, "tampered", better);
    assertEquals(said.client.outcome, undefined);
    assertEquals(said.server.outcome, undefined);
  }
});

Deno.test("Hello notices a box in between that changes the choice", () => {
  const said = sayHello(wire, wire, (bytes, to) => {
    if (to === "server") return bytes;
    const [choice, ...others] = texts(bytes);
    const changed = choice!.replace('"zstd"', '"none"');
    return new Uint8Array([changed, ...others].flatMap((it) => [
      ...framed(it),
    ]));
  });
  assertEquals(said.clientError?.code, "tampered");
  assertEquals(said.serverError?.peerCode, "tampered");
});

Deno.test("Hello notices a nonce that is changed, and a field that is added", () => {
  for (const change of [["01010101", "11010101"], ["{", '{"x":1,']] as const) {
    const said = sayHello(
      wire,
      wire,
      (bytes, to) =>
        to === "client" ? bytes : framed(
          texts(bytes)[0]!.replace(change[0], change[1]),
        ),
    );
    assertEquals(said.clientError?.code, "tampered");
  }
});

Deno.test("Hello of a server does not believe a client's wrong proof", () => {
  const said = sayHello(wire, wire, (bytes, to) => {
    const [text] = texts(bytes);
    if (to === "client" || !text!.includes(" proof ")) return bytes;
    return framed(`portolan/1 proof {"proof":"${"00".repeat(32)}"}`);
  });
  assertEquals(said.serverError?.code, "tampered");
  assertEquals(said.server.outcome, undefined);
});

Deno.test("Hello does not take the peer's proof for its own, nor its own for the peer's", () => {
  let servers = "";
  const said = sayHello(wire, wire, (bytes, to) => {
    if (to === "client") {
      servers = texts(bytes)[1]!;
      return bytes;
    }
    return texts(bytes)[0]!.includes(" proof ") ? framed(servers) : bytes;
  });
  assertEquals(said.serverError?.code, "tampered");
});

Deno.test("Hello passes over fields and names that it does not know", () => {
  const server = start("server");
  server.handle(framed(
    `portolan/1 offer ${
      JSON.stringify({
        ...offer,
        codecs: ["cbor", "json"],
        versions: [99, 2],
        compressions: ["lz5", "none"],
        dictionary: { id: 7, nested: [[["deep"]]] },
      })
    }`,
  ));
  const [choice] = texts(server.takeOutput());
  assert(choice!.includes('"version":2'), choice);
  assert(choice!.includes('"compression":"none"'), choice);
});

Deno.test("Hello of a client refuses a choice that it did not offer", () => {
  for (
    const lie of [
      { version: 3 },
      { codec: "msgpack" },
      { compression: "gzip" },
      { checksum: "md5" },
      { maxFrameBytes: (1 << 20) + 1 },
    ]
  ) {
    const text = `portolan/1 choice ${JSON.stringify({ ...choice, ...lie })}`;
    const { error, told } = refused(start("client"), framed(text));
    assertEquals([error.code, told], ["not_offered", "not_offered"]);
    assert(error.message.includes(JSON.stringify(Object.values(lie)[0])));
  }
});

Deno.test("Hello refuses fields that are missing or lie about what they are", () => {
  const wrong: [keyof typeof offer, unknown][] = [
    ["versions", undefined],
    ["versions", []],
    ["versions", 1],
    ["versions", ["1"]],
    ["versions", [0]],
    ["versions", [-1]],
    ["versions", [1.5]],
    ["versions", [1e300]],
    ["versions", Array(65).fill(1)],
    ["codecs", "json"],
    ["codecs", [""]],
    ["codecs", ["x".repeat(65)]],
    ["codecs", ["json\n"]],
    ["codecs", [["json"]]],
    ["codecs", { length: 1, 0: "json" }],
    ["compressions", [null]],
    ["checksums", undefined],
    ["maxFrameBytes", undefined],
    ["maxFrameBytes", 1023],
    ["maxFrameBytes", -1],
    ["maxFrameBytes", 1e16],
    ["maxFrameBytes", "1048576"],
    ["nonce", undefined],
    ["nonce", ""],
    ["nonce", NONCE.slice(2)],
    ["nonce", NONCE + "00"],
    ["nonce", "zz".repeat(16)],
    ["nonce", "AB".repeat(16)],
  ];
  for (const [name, value] of wrong) {
    const fields = JSON.stringify({ ...offer, [name]: value });
    const text = framed(`portolan/1 offer ${fields}`);
    const { error, told } = refused(start("server"), text);
    assertEquals([error.code, told], ["malformed", "malformed"], fields);
    assert(error.message.includes(`its field "${name}"`), error.message);
  }
});

Deno.test("Hello refuses what is not the part of a hello that is due", () => {
  const offered = `portolan/1 offer ${JSON.stringify(offer)}`;
  const chosen = `portolan/1 choice ${JSON.stringify(choice)}`;
  const proved = `portolan/1 proof {"proof":"${"00".repeat(32)}"}`;
  const wrong: [HelloRole, string, string][] = [
    ["server", "", "not a hello"],
    ["server", '{"say":"ahoy"}', "not a hello"],
    ["server", "GET / HTTP/1.1\r\nhost: x\r\n\r\n", "not a hello"],
    ["server", "portolan/", "not a hello"],
    ["server", "portolan/1 OFFER {}", "not a hello"],
    ["server", "portolan/2 offer {}", "must be 1: current value is 2"],
    ["server", "portolan/1 offer", "not a hello"],
    ["server", "portolan/1 offer {", "Cannot decode JSON"],
    ["server", "portolan/1 offer []", "must be an object"],
    ["server", "portolan/1 offer null", "must be an object"],
    ["server", 'portolan/1 offer {"__proto__":{}}', "__proto__"],
    ["server", `portolan/1 offer ${"[".repeat(500)}`, "depth"],
    ["server", `portolan/1 offer [${"0,".repeat(2000)}0]`, "nodes"],
    ["server", chosen, 'the offer is due: current value is "choice"'],
    ["server", proved, 'the offer is due: current value is "proof"'],
    ["client", proved, 'the choice is due: current value is "proof"'],
    // What an echo server makes of our offer.
    ["client", offered, 'the choice is due: current value is "offer"'],
    ["client", '{"say":"ahoy"}', "not a hello"],
  ];
  for (const [role, text, message] of wrong) {
    const { error, told } = refused(start(role), framed(text));
    assertEquals([error.code, told], ["malformed", "malformed"], text);
    assert(error.message.includes(message), `${text}: ${error.message}`);
  }
});

Deno.test("Hello refuses a second offer, and messages before the proof", () => {
  const again = framed(`portolan/1 offer ${JSON.stringify(offer)}`);
  for (const second of [again, framed('{"say":"ahoy"}')]) {
    const server = start("server");
    server.handle(again);
    assertEquals(refused(server, second).error.code, "malformed");
  }
});

Deno.test("Hello refuses a frame that is too long by its header", () => {
  const header = new Uint8Array([0, 0, 0x10, 0x01]);
  for (const role of ["client", "server"] as const) {
    const { error, told } = refused(start(role), header);
    assertEquals([error.code, told], ["malformed", "malformed"]);
    assert(error.message.includes("4097 bytes, maximum is 4096"));
  }
});

Deno.test("Hello refuses a hello that is too long where a first message may be longer", () => {
  const lenient = negotiated({
    framing: lengthPrefixed,
    codecs: [json()],
    withoutHello: json(),
  });
  const long = JSON.stringify({ ...offer, x: "x".repeat(4096) });
  const hello = lenient.hello("server", secrets(2));
  const { error } = refused(hello, framed(`portolan/1 offer ${long}`));
  assert(error.message.includes("at most 4096 bytes"), error.message);
});

Deno.test("Hello takes no more than a frame after the offer where a first message may be longer", () => {
  const lenient = negotiated({
    framing: lengthPrefixed,
    codecs: [json()],
    withoutHello: json(),
  });
  const server = lenient.hello("server", secrets(2));
  server.handle(framed(`portolan/1 offer ${JSON.stringify(offer)}`));
  server.takeOutput();
  const { error } = refused(server, new Uint8Array([0, 0, 0x20, 0]));
  assert(error.message.includes("maximum is 4096"), error.message);
});

Deno.test("Hello keeps a peer's refusal short and in quotes, and does not answer it", () => {
  const client = start("client");
  const reason = "no\u001b[2J\n" + "x".repeat(1000);
  const { error, told } = refused(
    client,
    framed(`portolan/1 refusal ${JSON.stringify({ code: "busy", reason })}`),
  );
  assertEquals([error.code, error.peerCode], ["refused", "busy"]);
  assertEquals(told, undefined);
  assert(error.message.length < 400);
  assert(!error.message.includes("\n") && !error.message.includes("\u001b"));
  const odd = refused(start("client"), framed("portolan/1 refusal {}"));
  assertEquals(odd.error.peerCode, "unknown");
});

Deno.test("Hello tells a reason that fits into a frame when everything in it is long", () => {
  const codecs = Array.from({ length: 25 }, (_, i) => `${i}`.padEnd(64, '"'));
  const { error, told } = refused(
    start("server"),
    framed(`portolan/1 offer ${JSON.stringify({ ...offer, codecs })}`),
  );
  assertEquals([error.code, told], ["no_common_codec", "no_common_codec"]);
});

Deno.test("Hello is dead after an error", () => {
  const server = start("server");
  const first = assertThrows(() => server.handle(framed("x")));
  server.takeOutput();
  const offered = framed(`portolan/1 offer ${JSON.stringify(offer)}`);
  assertEquals(assertThrows(() => server.handle(offered)), first);
  assertEquals(assertThrows(() => server.finish()), first);
  assertEquals(server.takeOutput().length, 0);
});

Deno.test("Hello says that the stream ended when it does", () => {
  const ended: HelloErrorCode[] = [];
  for (const role of ["client", "server"] as const) {
    const hello = start(role);
    hello.handle(new Uint8Array([0, 0]));
    ended.push(assertThrows(() => hello.finish(), HelloError).code);
  }
  assertEquals(ended, ["ended", "ended"]);
  const { client } = sayHello(wire, wire);
  client.finish();
});

Deno.test("Hello throws RangeError when the nonce has not 16 bytes", () => {
  const { mac } = secrets(1);
  assertThrows(
    () => wire.hello("client", { nonce: new Uint8Array(15), mac }),
    RangeError,
    "'nonce' must have 16 bytes",
  );
});
