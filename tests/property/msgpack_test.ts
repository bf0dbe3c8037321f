import { assert, assertEquals } from "@std/assert";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { scanMsgpack } from "../../src/proto/codec/msgpack_scan.ts";
import { DEFAULT_WORK_LIMITS } from "../../src/proto/codec/work_limits.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { raw } from "../../src/proto/framing/raw.ts";
import { checkProperty, fc } from "../support/property.ts";

const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false, 2 ** 32, -(2 ** 40)),
    fc.integer(),
    fc.double({ noNaN: true }).map((number) => number + 0),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array(),
    fc.date({ noInvalidDate: true }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie("value"), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
}));

/** The dumb model of the work of a value. */
function measure(value: unknown): { depth: number; nodes: number } {
  const isList = Array.isArray(value);
  const isMap = typeof value === "object" && value !== null && !isList &&
    !(value instanceof Uint8Array) && !(value instanceof Date);
  if (!isList && !isMap) return { depth: 0, nodes: 1 };
  const items = Object.values(value).map(measure);
  return {
    depth: 1 + Math.max(0, ...items.map((item) => item.depth)),
    nodes: items.reduce(
      (sum, item) => sum + item.nodes,
      1 + (isMap ? items.length : 0),
    ),
  };
}

function refused(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    assert(error instanceof RemoteProtocolError && error.recoverable);
    return true;
  }
}

Deno.test("msgpack() gives back every value that it has written", () => {
  const codec = msgpack();
  checkProperty(anyValue, (value) => {
    assertEquals(codec.decode(encodeFrame(raw(codec), value)), value);
  }, 1000);
});

Deno.test("scanMsgpack() limits depth and nodes to the number of the dumb model", () => {
  const codec = msgpack();
  checkProperty(anyValue, (value) => {
    const frame = encodeFrame(raw(codec), value);
    const { depth, nodes } = measure(value);
    const accepts = (maxDepth: number, maxNodes: number): boolean =>
      !refused(() =>
        scanMsgpack(
          frame,
          { ...DEFAULT_WORK_LIMITS, maxDepth, maxNodes },
          false,
        )
      );
    assert(accepts(depth, nodes));
    assert(!accepts(depth - 1, nodes) || depth === 0);
    assert(!accepts(depth, nodes - 1));
  }, 1000);
});

Deno.test("scanMsgpack() refuses every cut and every byte too many", () => {
  const codec = msgpack();
  checkProperty(fc.tuple(anyValue, fc.nat()), ([value, at]) => {
    const frame = encodeFrame(raw(codec), value);
    assert(refused(() => codec.decode(frame.subarray(0, at % frame.length))));
    assert(refused(() => codec.decode(Uint8Array.from([...frame, at]))));
  });
});

Deno.test("msgpack() answers hostile bytes with values and refusals alone", () => {
  const codec = msgpack();
  const byte = fc.oneof(
    fc.integer({ min: 0x80, max: 0xdf }),
    fc.nat(3),
    fc.nat(255),
  );
  checkProperty(fc.array(byte, { maxLength: 30 }), (bytes) => {
    refused(() => codec.decode(Uint8Array.from(bytes)));
  }, 20_000);
});
