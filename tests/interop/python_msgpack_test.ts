// Debian's python3-msgpack as a live peer: what we write is what Python reads, and the other way round.
import { assertEquals } from "@std/assert";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { UnknownExtension } from "../../src/proto/codec/msgpack_extensions.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { hex } from "../support/three_ways.ts";

/** Debian's package belongs to Debian's Python, which may not be the first on the path. */
const PYTHON = "/usr/bin/python3";
const PEER = new URL("../testdata/python_msgpack_peer.py", import.meta.url);

/** What Python says of a value, and the value sent back. */
type Answer = [typeName: string, repr: string, value: unknown];

function absence(): string | undefined {
  try {
    const { success } = new Deno.Command(PYTHON, {
      args: ["-c", "import msgpack"],
      stderr: "null",
    }).outputSync();
    return success ? undefined : `${PYTHON} has no module msgpack`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const missing = absence();
if (missing !== undefined) console.log(`ignored: python3-msgpack: ${missing}`);

/** Sends `values` to Python in one stream and returns its answers. */
async function ask(
  values: unknown[],
  useBigInt64 = false,
): Promise<Answer[]> {
  const wire = lengthPrefixed(msgpack<Answer, unknown>({ useBigInt64 }));
  await using peer = new Deno.Command(PYTHON, {
    args: [PEER.pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writing = (async () => {
    const writer = peer.stdin.getWriter();
    for (const value of values) await writer.write(encodeFrame(wire, value));
    await writer.close();
  })();
  const reader = new FrameReader(wire);
  const answers: Answer[] = [];
  for await (const chunk of peer.stdout) answers.push(...reader.push(chunk));
  answers.push(...reader.finish());
  await writing;
  assertEquals((await peer.status).code, 0);
  return answers;
}

const CASES: [value: unknown, typeName: string, repr: string][] = [
  [null, "NoneType", "None"],
  [true, "bool", "True"],
  [0, "int", "0"],
  [-33, "int", "-33"],
  [2 ** 32, "int", "4294967296"],
  [2 ** 53 - 1, "int", "9007199254740991"],
  [-(2 ** 53 - 1), "int", "-9007199254740991"],
  [1.5, "float", "1.5"],
  ["", "str", "''"],
  ["é😀", "str", "'é😀'"],
  [hex("00ff"), "bytes", String.raw`b'\x00\xff'`],
  [[1, [2]], "list", "[1, [2]]"],
  [{ a: { b: [] } }, "dict", "{'a': {'b': []}}"],
  [
    new UnknownExtension(5, hex("0102")),
    "ExtType",
    String.raw`ExtType(code=5, data=b'\x01\x02')`,
  ],
  [
    new Date("2018-01-02T03:04:05.678Z"),
    "datetime",
    "datetime.datetime(2018, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)",
  ],
  [
    new Date("1900-01-01T00:00:00.001Z"),
    "datetime",
    "datetime.datetime(1900, 1, 1, 0, 0, 0, 1000, tzinfo=datetime.timezone.utc)",
  ],
];

Deno.test({
  name: "msgpack() and python3-msgpack mean the same by every type",
  ignore: missing !== undefined,
  async fn() {
    const answers = await ask(CASES.map(([value]) => value));
    const expected = CASES.map(([value, type, repr]) => [type, repr, value]);
    assertEquals(answers, expected);
  },
});

Deno.test({
  name: "msgpack() and python3-msgpack exchange texts and lists of every size",
  ignore: missing !== undefined,
  async fn() {
    const sizes = [15, 16, 31, 32, 255, 256, 65_535, 65_536];
    const values = sizes.flatMap((size) => [
      "x".repeat(size),
      new Uint8Array(size),
      new Array<number>(size).fill(7),
      Object.fromEntries(Array.from({ length: size / 8 }, (_, i) => [i, i])),
    ]);
    const answers = await ask(values);
    assertEquals(answers.map(([, , value]) => value), values);
  },
});

Deno.test({
  name: "msgpack() and python3-msgpack exchange 64-bit integers as bigint",
  ignore: missing !== undefined,
  async fn() {
    const values = [2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)];
    const answers = await ask(values, true);
    assertEquals(
      answers,
      values.map((value) => ["int", String(value), value] satisfies Answer),
    );
  },
});
