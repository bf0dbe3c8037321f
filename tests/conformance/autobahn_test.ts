/**
 * The cases of Autobahn's published list, by their numbers, as raw bytes against an echo of ours in either role.
 *
 * Its payloads of up to 16 MB are kept to 4 MB, the thousand messages of a case to fewer, and its test files are
 * replaced by text and bytes of the same kind.
 *
 * @module
 */

import { assertEquals, assertExists } from "@std/assert";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { seededRandom } from "../../src/bytes/random.ts";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/connect.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import {
  BINARY,
  CLOSE,
  closePayload,
  PING,
  PONG,
  type RawFrame,
  RawWebSocket,
  TEXT,
} from "../support/raw_web_socket.ts";
import { hex, utf8 } from "../support/three_ways.ts";
import { within } from "../support/wait.ts";

const MAX_BYTES = 4 << 20;

/** One case: what is sent, what must come back, and how it must end. */
interface Case {
  id: string;
  send: RawFrame[];
  /** Messages and Pongs, in order. */
  expect?: [opcode: number, payload: string | Uint8Array][];
  /** The codes that the subject may close with by itself; without them we close, and it answers. */
  fails?: number[];
  /** What its answer to the Close at the end of `send` may say. */
  answers?: (number | string)[];
}

/** An echo under test. */
interface Subject extends AsyncDisposable {
  open(opcode: number): Promise<RawWebSocket>;
}

const WIRES = {
  [TEXT]: lengthPrefixed(text(), { maxFrameBytes: MAX_BYTES }),
  [BINARY]: lengthPrefixed(bytes(), { maxFrameBytes: MAX_BYTES }),
};

async function serverSubject(lines: string[] = []): Promise<Subject> {
  const shared = {
    listen: "ws://127.0.0.1:0",
    webSocket: { compress: lines.length > 0 },
    limits: { maxBufferedBytes: 64 << 20 },
  };
  const servers = {
    [TEXT]: await serve({
      ...shared,
      wire: WIRES[TEXT],
      handler: { message: (peer, message) => peer.send(message) },
    }),
    [BINARY]: await serve({
      ...shared,
      wire: WIRES[BINARY],
      handler: { message: (peer, message) => peer.send(message) },
    }),
  };
  return {
    open: (opcode) =>
      RawWebSocket.connect(
        servers[opcode as typeof TEXT].endpoint,
        ...lines,
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all([servers[TEXT].abort(), servers[BINARY].abort()]);
    },
  };
}

/** A client of ours that sends back what it gets. */
async function echoClient(to: string, opcode: number, compress: boolean) {
  const shared = {
    to,
    webSocket: { compress },
    limits: { maxBufferedBytes: 64 << 20 },
  };
  if (opcode === TEXT) {
    const client: Client<string> = await connect({
      ...shared,
      wire: WIRES[TEXT],
      message: (message) => client.send(message),
    });
    return client;
  }
  const client: Client<Uint8Array> = await connect({
    ...shared,
    wire: WIRES[BINARY],
    message: (message) => client.send(message),
  });
  return client;
}

function clientSubject(lines: string[] = []): Promise<Subject> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clients: { abort(): void }[] = [];
  return Promise.resolve({
    async open(opcode) {
      const to = `ws://127.0.0.1:${listener.addr.port}`;
      const connecting = echoClient(to, opcode, lines.length > 0);
      const raw = await RawWebSocket.accept(await listener.accept(), ...lines);
      clients.push(await connecting);
      return raw;
    },
    [Symbol.asyncDispose]() {
      listener.close();
      for (const client of clients) client.abort();
      return Promise.resolve();
    },
  });
}

function payloadOf(payload: string | Uint8Array): Uint8Array {
  return typeof payload === "string" ? utf8(payload) : payload;
}

/** Whether the messages of a case are text, which is what the echo must speak. */
function kindOf({ send }: Case): number {
  return send.find(({ opcode }) => opcode === TEXT || opcode === BINARY)
    ?.opcode ?? TEXT;
}

async function run(subject: Subject, each: Case): Promise<void> {
  using raw = await subject.open(kindOf(each));
  const sending = raw.send(...each.send);
  for (const [opcode, payload] of each.expect ?? []) {
    const frame = await raw.receive();
    assertExists(frame, `the end instead of opcode ${opcode}`);
    assertEquals([frame.opcode, frame.fin, frame.rsv], [opcode, true, 0]);
    const want = payloadOf(payload);
    if (want.length < 1000) assertEquals(frame.payload, want);
    else assertEquals(isSame(frame.payload, want), true, "another payload");
  }
  // What is sent after the subject has closed may fail.
  await within("the sender", sending.catch(() => {}), 30_000);
  if (each.fails !== undefined) {
    const code = await raw.closeCode();
    assertEquals(each.fails.includes(Number(code)), true, `it said ${code}`);
    return assertEquals(await raw.receive(), undefined);
  }
  if (each.answers === undefined) {
    await raw.send({ opcode: CLOSE, payload: closePayload(1000) });
  }
  const code = await raw.closeCode();
  const answers = each.answers ?? [1000];
  assertEquals(answers.includes(code), true, `it said ${code}`);
  // A client leaves it to the server to end the connection.
  if (raw.isClient) assertEquals(await raw.receive(), undefined);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Registers the cases of one section, for both roles. */
function section(
  title: string,
  cases: Case[],
  lines: { server?: string[]; client?: string[] } = {},
): void {
  for (const role of ["server", "client"] as const) {
    const name = `autobahn ${title}: ${cases.length} cases pass as a ${role}`;
    Deno.test(name, async (t) => {
      await using subject = role === "server"
        ? await serverSubject(lines.server)
        : await clientSubject(lines.client);
      for (const each of cases) await t.step(each.id, () => run(subject, each));
    });
  }
}

const HELLO = "Hello, world!";
const ODD = hex("00ff fefd fcfb 00ff");
const GREEK = hex("ceba e1bdb9 cf83 cebc ceb5");

const filled = (length: number, byte: number) =>
  new Uint8Array(length).fill(byte);

/** A message of `opcode` in frames of `size` bytes. */
function fragments(
  opcode: number,
  payload: string | Uint8Array,
  size: number,
): RawFrame[] {
  const whole = payloadOf(payload);
  const frames: RawFrame[] = [];
  for (let at = 0; at < whole.length; at += size) {
    frames.push({
      opcode: at === 0 ? opcode : 0,
      fin: at + size >= whole.length,
      payload: whole.subarray(at, at + size),
    });
  }
  return frames;
}

const echo = (id: string, frame: RawFrame): Case => ({
  id,
  send: [frame],
  expect: [[frame.opcode, frame.payload ?? ""]],
});

// 1 Framing

const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536];

section(
  "1 framing",
  [[TEXT, 0x2a], [BINARY, 0xfe]].flatMap(([opcode, byte], group) => [
    ...SIZES.map((size, at) =>
      echo(`1.${group + 1}.${at + 1}`, {
        opcode: opcode!,
        payload: filled(size, byte!),
      })
    ),
    echo(`1.${group + 1}.8`, {
      opcode: opcode!,
      payload: filled(65_536, byte!),
      chop: 997,
    }),
  ]),
);

// 2 Pings and Pongs

const ping = (
  id: string,
  payload: string | Uint8Array,
  chop?: number,
): Case => ({
  id,
  send: [{ opcode: PING, payload, ...(chop === undefined ? {} : { chop }) }],
  expect: [[PONG, payload]],
});
const tenPings = (id: string, chop?: number): Case => {
  const payloads = Array.from({ length: 10 }, (_, at) => `payload-${at}`);
  return {
    id,
    send: payloads.map((payload) => ({
      opcode: PING,
      payload,
      ...(chop === undefined ? {} : { chop }),
    })),
    expect: payloads.map((payload) => [PONG, payload]),
  };
};

section("2 pings and pongs", [
  ping("2.1", ""),
  ping("2.2", HELLO),
  ping("2.3", ODD),
  ping("2.4", filled(125, 0xfe)),
  {
    id: "2.5",
    send: [{ opcode: PING, payload: filled(126, 0xfe) }],
    fails: [1002],
  },
  ping("2.6", filled(125, 0xfe), 1),
  { id: "2.7", send: [{ opcode: PONG }] },
  { id: "2.8", send: [{ opcode: PONG, payload: "unsolicited pong payload" }] },
  {
    id: "2.9",
    send: [
      { opcode: PONG, payload: "unsolicited pong payload" },
      { opcode: PING, payload: "ping payload" },
    ],
    expect: [[PONG, "ping payload"]],
  },
  tenPings("2.10"),
  tenPings("2.11", 1),
]);

// 3 Reserved bits

const afterHello = (id: string, bad: RawFrame, chop?: number): Case => ({
  id,
  send: [
    { opcode: TEXT, payload: HELLO },
    bad,
    { opcode: PING },
  ].map((frame) => chop === undefined ? frame : { ...frame, chop }),
  expect: [[TEXT, HELLO]],
  fails: [1002],
});
const alone = (id: string, frame: RawFrame): Case => ({
  id,
  send: [frame],
  fails: [1002],
});

section("3 reserved bits", [
  alone("3.1", { opcode: TEXT, payload: HELLO, rsv: 1 }),
  afterHello("3.2", { opcode: TEXT, payload: HELLO, rsv: 2 }),
  afterHello("3.3", { opcode: TEXT, payload: HELLO, rsv: 3 }, 1000),
  afterHello("3.4", { opcode: TEXT, payload: HELLO, rsv: 4 }, 1),
  alone("3.5", { opcode: BINARY, payload: ODD, rsv: 5 }),
  alone("3.6", { opcode: PING, payload: HELLO, rsv: 6 }),
  alone("3.7", { opcode: CLOSE, rsv: 7 }),
]);

// 4 Opcodes

section(
  "4 opcodes",
  [3, 11].flatMap((first, group) => {
    const id = (at: number) => `4.${group + 1}.${at}`;
    return [
      alone(id(1), { opcode: first }),
      alone(id(2), { opcode: first + 1, payload: "reserved opcode payload" }),
      afterHello(id(3), { opcode: first + 2 }),
      afterHello(id(4), { opcode: first + 3, payload: HELLO }, 1000),
      afterHello(id(5), { opcode: first + 4, payload: HELLO }, 1),
    ];
  }),
);

// 5 Fragmentation

const WHOLE = "fragment1fragment2";
const HALVES: [RawFrame, RawFrame] = [
  { opcode: TEXT, fin: false, payload: "fragment1" },
  { opcode: 0, payload: "fragment2" },
];
const chopped = (frames: RawFrame[], chop: number): RawFrame[] =>
  frames.map((frame) => ({ ...frame, chop }));
const nothingToContinue = (fin: boolean): RawFrame[] => [
  { opcode: 0, fin, payload: "non-continuation payload" },
  { opcode: TEXT, payload: HELLO },
];
const pingBetween: RawFrame[] = [
  HALVES[0],
  { opcode: PING, payload: "ping payload" },
  HALVES[1],
];
const repeated = (fin: boolean): RawFrame[] => {
  const once: RawFrame[] = [
    { opcode: 0, fin, payload: "fragment1" },
    { opcode: TEXT, fin: false, payload: "fragment2" },
    { opcode: 0, payload: "fragment3" },
  ];
  return [...once, ...once];
};
const pingsBetween: RawFrame[] = [
  { opcode: TEXT, fin: false, payload: "fragment1" },
  { opcode: 0, fin: false, payload: "fragment2" },
  { opcode: PING, payload: "pongme 1!" },
  { opcode: 0, fin: false, payload: "fragment3" },
  { opcode: 0, fin: false, payload: "fragment4" },
  { opcode: PING, payload: "pongme 2!" },
  { opcode: 0, payload: "fragment5" },
];
const pongsThenMessage: Case["expect"] = [
  [PONG, "pongme 1!"],
  [PONG, "pongme 2!"],
  [TEXT, "fragment1fragment2fragment3fragment4fragment5"],
];

section("5 fragmentation", [
  {
    id: "5.1",
    send: [{ opcode: PING, fin: false, payload: "fragment1" }, HALVES[1]],
    fails: [1002],
  },
  {
    id: "5.2",
    send: [{ opcode: PONG, fin: false, payload: "fragment1" }, HALVES[1]],
    fails: [1002],
  },
  { id: "5.3", send: HALVES, expect: [[TEXT, WHOLE]] },
  { id: "5.4", send: chopped(HALVES, 1000), expect: [[TEXT, WHOLE]] },
  { id: "5.5", send: chopped(HALVES, 1), expect: [[TEXT, WHOLE]] },
  ...[undefined, 1000, 1].map((chop, at): Case => ({
    id: `5.${6 + at}`,
    send: chop === undefined ? pingBetween : chopped(pingBetween, chop),
    expect: [[PONG, "ping payload"], [TEXT, WHOLE]],
  })),
  ...[true, false].flatMap((fin, group) =>
    [undefined, 1000, 1].map((chop, at): Case => ({
      id: `5.${9 + group * 3 + at}`,
      send: chop === undefined
        ? nothingToContinue(fin)
        : chopped(nothingToContinue(fin), chop),
      fails: [1002],
    }))
  ),
  {
    id: "5.15",
    send: [
      ...HALVES,
      { opcode: 0, fin: false, payload: "fragment3" },
      { opcode: TEXT, payload: "fragment4" },
    ],
    expect: [[TEXT, WHOLE]],
    fails: [1002],
  },
  { id: "5.16", send: repeated(false), fails: [1002] },
  { id: "5.17", send: repeated(true), fails: [1002] },
  {
    id: "5.18",
    send: [HALVES[0], { opcode: TEXT, payload: "fragment2" }],
    fails: [1002],
  },
  { id: "5.19", send: pingsBetween, expect: pongsThenMessage },
  { id: "5.20", send: chopped(pingsBetween, 1000), expect: pongsThenMessage },
]);

// 6 UTF-8

const MIXED = utf8("Hello-µ@ßöäüàá-UTF-8!!");
const SURROGATE = hex("ceba e1bdb9 cf83 cebc ceb5 eda080 656469746564");
const TOO_HIGH = hex("f4908080");
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => from + at);
const lonely = (from: number, to: number) =>
  Uint8Array.from(range(from, to).flatMap((byte) => [byte, 0x20]));
const CUT = [
  "c0 e080 f08080 f8808080 fc80808080",
  "df efbf f7bfbf fbbfbfbf fdbfbfbfbf",
].join(" ").split(" ");
const nonCharacters = ["f0", "f1", "f2", "f3", "f4"].flatMap((first) =>
  ["8f", "9f", "af", "bf"]
    .filter((second) =>
      first === "f4" ? second === "8f" : first !== "f0" || second !== "8f"
    )
    .flatMap((second) => ["be", "bf"].map((z) => `${first}${second}bf${z}`))
);

/** 6.5 and on: sequences by group, from Kuhn's UTF-8-test.txt. */
const SEQUENCES: Uint8Array[][] = [
  [
    ..."24 c2a2 e282ac f0a4ada2".split(" ").map((middle) =>
      Uint8Array.from([...utf8("hello"), ...hex(middle), ...utf8("world")])
    ),
    GREEK,
  ],
  range(1, GREEK.length + 1).map((length) => GREEK.slice(0, length)),
  ...[
    "00 c280 e0a080 f0908080",
    "f888808080 fc8480808080",
    "7f dfbf efbfbf f48fbfbf",
    "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf",
    "ed9fbf ee8080 efbfbd f48fbfbf f4908080",
  ].map((list) => list.split(" ").map(hex)),
  [
    ..."80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf".split(" ").map(hex),
    Uint8Array.from(range(0x80, 0xbf)),
  ],
  [
    lonely(0xc0, 0xdf),
    lonely(0xe0, 0xef),
    lonely(0xf0, 0xf7),
    lonely(0xf8, 0xfb),
    lonely(0xfc, 0xfd),
  ],
  CUT.map(hex),
  [hex(CUT.join(""))],
  ...[
    "fe ff fefeffff",
    "c0af e080af f08080af f8808080af fc80808080af",
    "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf",
    "c080 e08080 f0808080 f880808080 fc8080808080",
    "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf",
    "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf",
    ["efbfbe", "efbfbf", ...nonCharacters].join(" "),
    "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf",
  ].map((list) => list.split(" ").map(hex)),
];

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
function isUtf8(payload: Uint8Array): boolean {
  try {
    strict.decode(payload);
    return true;
  } catch {
    return false;
  }
}

section("6 UTF-8 handling", [
  echo("6.1.1", { opcode: TEXT }),
  {
    id: "6.1.2",
    send: [
      { opcode: TEXT, fin: false },
      { opcode: 0, fin: false },
      { opcode: 0 },
    ],
    expect: [[TEXT, ""]],
  },
  {
    id: "6.1.3",
    send: [
      { opcode: TEXT, fin: false },
      { opcode: 0, fin: false, payload: "middle frame payload" },
      { opcode: 0 },
    ],
    expect: [[TEXT, "middle frame payload"]],
  },
  echo("6.2.1", { opcode: TEXT, payload: MIXED }),
  {
    id: "6.2.2",
    send: fragments(TEXT, MIXED, 12),
    expect: [[TEXT, MIXED]],
  },
  { id: "6.2.3", send: fragments(TEXT, MIXED, 1), expect: [[TEXT, MIXED]] },
  { id: "6.2.4", send: fragments(TEXT, GREEK, 1), expect: [[TEXT, GREEK]] },
  {
    id: "6.3.1",
    send: [{ opcode: TEXT, payload: SURROGATE }],
    fails: [1007],
  },
  { id: "6.3.2", send: fragments(TEXT, SURROGATE, 1), fails: [1007] },
  // Refused at the fragment that makes it wrong, and not only at the end of the message.
  {
    id: "6.4.1",
    send: [
      { opcode: TEXT, fin: false, payload: GREEK },
      { opcode: 0, fin: false, payload: TOO_HIGH },
    ],
    fails: [1007],
  },
  {
    id: "6.4.2",
    send: [
      { opcode: TEXT, fin: false, payload: new Uint8Array([...GREEK, 0xf4]) },
      { opcode: 0, fin: false, payload: hex("90") },
    ],
    fails: [1007],
  },
  // Chopped inside one frame it is refused once the frame is whole, which the list calls non-strict.
  ...["6.4.3", "6.4.4"].map((id): Case => ({
    id,
    send: [{
      opcode: TEXT,
      payload: new Uint8Array([...GREEK, ...TOO_HIGH, ...utf8("edited")]),
      chop: 12,
    }],
    fails: [1007],
  })),
  ...SEQUENCES.flatMap((group, at) =>
    group.map((payload, index): Case => ({
      id: `6.${5 + at}.${index + 1}`,
      send: [{ opcode: TEXT, payload }],
      ...(isUtf8(payload) ? { expect: [[TEXT, payload]] } : { fails: [1007] }),
    }))
  ),
]);

// 7 Close handling

const closing = (
  id: string,
  payload: string | Uint8Array,
  answers: (number | string)[],
  ...more: RawFrame[]
): Case => ({ id, send: [{ opcode: CLOSE, payload }, ...more], answers });
const badClose = (
  id: string,
  payload: string | Uint8Array,
  fails = [1002],
): Case => ({ id, send: [{ opcode: CLOSE, payload }], fails });
const NORMAL = closePayload(1000);

section("7 close handling", [
  {
    id: "7.1.1",
    send: [{ opcode: TEXT, payload: "Hello World!" }, {
      opcode: CLOSE,
      payload: NORMAL,
    }],
    expect: [[TEXT, "Hello World!"]],
    answers: [1000],
  },
  closing("7.1.2", NORMAL, [1000], { opcode: CLOSE, payload: NORMAL }),
  closing("7.1.3", NORMAL, [1000], { opcode: PING }),
  closing("7.1.4", NORMAL, [1000], { opcode: TEXT, payload: HELLO }),
  {
    id: "7.1.5",
    send: [HALVES[0], { opcode: CLOSE, payload: NORMAL }, HALVES[1]],
    answers: [1000],
  },
  {
    id: "7.1.6",
    send: [
      { opcode: TEXT, payload: filled(256 << 10, 0x42) },
      { opcode: TEXT, payload: "Hello World!" },
      { opcode: CLOSE, payload: NORMAL },
      { opcode: PING },
    ],
    expect: [[TEXT, filled(256 << 10, 0x42)], [TEXT, "Hello World!"]],
    answers: [1000],
  },
  closing("7.3.1", "", ["no code", 1000]),
  badClose("7.3.2", "a"),
  closing("7.3.3", NORMAL, [1000]),
  closing("7.3.4", closePayload(1000, "Hello World!"), [1000]),
  closing("7.3.5", closePayload(1000, "*".repeat(123)), [1000]),
  badClose("7.3.6", closePayload(1000, "*".repeat(124))),
  badClose("7.5.1", closePayload(1000, SURROGATE), [1002, 1007]),
  ...[
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    3000,
    3999,
    4000,
    4999,
  ].map((code, at) =>
    closing(`7.7.${at + 1}`, closePayload(code), [code, 1000])
  ),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map((code, at) =>
    badClose(`7.9.${at + 1}`, closePayload(code))
  ),
  badClose("7.13.1", closePayload(5000)),
  badClose("7.13.2", closePayload(65_535)),
]);

// 9 Limits and performance

const KIB = 1024;
const large = [64, 256, 1024, 4096, 4096, 4096];
const kinds: [number, number][] = [[TEXT, 0x2a], [BINARY, 0xfe]];

section("9 limits and performance", [
  ...kinds.flatMap(([opcode, byte], group) =>
    large.map((kib, at) =>
      echo(`9.${group + 1}.${at + 1}`, {
        opcode,
        payload: filled(kib * KIB, byte),
      })
    )
  ),
  ...kinds.flatMap(([opcode, byte], group) =>
    [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20]
      .map((size, at): Case => {
        const payload = filled(4 << 20, byte);
        return {
          id: `9.${group + 3}.${at + 1}`,
          send: fragments(opcode, payload, size),
          expect: [[opcode, payload]],
        };
      })
  ),
  ...kinds.flatMap(([opcode, byte], group) =>
    [64, 128, 256, 512, 1024, 2048].map((chop, at) =>
      echo(`9.${group + 5}.${at + 1}`, {
        opcode,
        payload: filled(256 * KIB, byte),
        chop,
      })
    )
  ),
  ...kinds.flatMap(([opcode, byte], group) =>
    [0, 16, 64, 256, 1024, 4096].map((size, at): Case => {
      const payload = filled(size, byte);
      return {
        id: `9.${group + 7}.${at + 1}`,
        send: Array(200).fill({ opcode, payload }),
        expect: Array(200).fill([opcode, payload]),
      };
    })
  ),
]);

// 10 Misc

section("10 auto-fragmentation", [{
  id: "10.1.1",
  send: fragments(TEXT, "*".repeat(65_536), 1300),
  expect: [[TEXT, "*".repeat(65_536)]],
}]);

// 12 and 13 Compression

const random = seededRandom(1213);
const words = "Habe nun, ach! Philosophie, Juristerei und Medizin, é ü €"
  .split(" ");
const prose = (length: number): Uint8Array => {
  let line = "";
  while (line.length < length) {
    line += words[Math.floor(random() * words.length)] + " ";
  }
  // Cut where no character is.
  const bytes = utf8(line).slice(0, length);
  while (!isUtf8(bytes)) {
    bytes[bytes.lastIndexOf(bytes.findLast((b) => b > 127)!)] = 0x2e;
  }
  return bytes;
};
const jsonLike = (length: number) =>
  utf8(
    JSON.stringify(
      Array.from({ length: length / 10 }, (_, id) => ({ id, ok: true })),
    ).slice(0, length).padEnd(length, " "),
  );
const noise = (length: number) =>
  Uint8Array.from({ length }, () => random() * 256);

const DATA: [number, (length: number) => Uint8Array][] = [
  [TEXT, jsonLike],
  [BINARY, noise],
  [BINARY, prose],
  [TEXT, prose],
  [BINARY, jsonLike],
];
const COMPRESSED: [size: number, fragment: number][] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((
    size,
  ): [number, number] => [size, 0]),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((
    size,
  ): [number, number] => [size, 256]),
  [131_072, 1024],
  [131_072, 4096],
  [131_072, 32_768],
];

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate";
const NO_TAKEOVER = "; server_no_context_takeover; client_no_context_takeover";

/** Sends compressed messages and inflates what comes back. */
async function runCompressed(
  subject: Subject,
  opcode: number,
  size: number,
  fragment: number,
  data: (length: number) => Uint8Array,
  windowBits: number,
): Promise<void> {
  using raw = await subject.open(opcode);
  for (let round = 0; round < 3; round++) {
    const payload = data(size);
    const deflated = new Uint8Array(
      deflateRawSync(payload, {
        finishFlush: constants.Z_SYNC_FLUSH,
        windowBits: 15,
      }),
    ).slice(0, -4);
    const frames = fragments(opcode, deflated, fragment || deflated.length);
    frames[0]!.rsv = 4;
    const sending = raw.send(...frames);
    const frame = await raw.receive();
    await sending;
    assertExists(frame);
    assertEquals([frame.opcode, frame.fin], [opcode, true]);
    const got = frame.rsv === 0 ? frame.payload : new Uint8Array(
      inflateRawSync(frame.payload, {
        finishFlush: constants.Z_SYNC_FLUSH,
        windowBits,
      }),
    );
    assertEquals(isSame(got, payload), true, "another payload");
    if (frame.rsv === 0) assertEquals(size < 1024 || data === noise, true);
  }
  await raw.send({ opcode: CLOSE, payload: NORMAL });
  assertEquals(await raw.closeCode(), 1000);
}

function compression(
  title: string,
  groups: {
    id: string;
    opcode: number;
    data: (length: number) => Uint8Array;
    offer: string;
    accepted?: string;
    windowBits?: number;
  }[],
): void {
  const count = groups.length * COMPRESSED.length;
  for (const role of ["server", "client"] as const) {
    const name = `autobahn ${title}: ${count} cases pass as a ${role}`;
    Deno.test(name, async (t) => {
      for (const { id, opcode, data, offer, ...rest } of groups) {
        const { accepted = NO_TAKEOVER, windowBits = 15 } = rest;
        await using subject = role === "server"
          ? await serverSubject([DEFLATE + offer])
          : await clientSubject([DEFLATE + accepted]);
        for (const [at, [size, fragment]] of COMPRESSED.entries()) {
          await t.step(
            `${id}.${at + 1}`,
            () =>
              runCompressed(
                subject,
                opcode,
                size,
                fragment,
                data,
                role === "server" ? windowBits : 15,
              ),
          );
        }
      }
    });
  }
}

compression(
  "12 compression, different payloads",
  DATA.map(([opcode, data], at) => ({
    id: `12.${at + 1}`,
    opcode,
    data,
    offer: "",
  })),
);

/** 13: offers, the windows that they leave us, and answers of a server that a client must take. */
const OFFERS: [offer: string, windowBits: number, accepted?: string][] = [
  ["", 15],
  ["; server_no_context_takeover", 15, NO_TAKEOVER],
  ["; client_max_window_bits; server_max_window_bits=9", 9],
  [
    "; server_max_window_bits=15",
    15,
    `${NO_TAKEOVER}; server_max_window_bits=15`,
  ],
  [
    "; server_no_context_takeover; server_max_window_bits=9",
    9,
    "; server_no_context_takeover; server_max_window_bits=9",
  ],
  ["; server_no_context_takeover; server_max_window_bits=15", 15],
  [
    "; server_no_context_takeover; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10, permessage-deflate",
    10,
  ],
];

compression(
  "13 compression, different parameters",
  OFFERS.map(([offer, windowBits, accepted], at) => ({
    id: `13.${at + 1}`,
    opcode: TEXT,
    data: jsonLike,
    offer,
    windowBits,
    ...(accepted === undefined ? {} : { accepted }),
  })),
);
