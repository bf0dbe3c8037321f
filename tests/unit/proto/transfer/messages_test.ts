import { assertEquals, assertThrows } from "@std/assert";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import {
  TRANSFER_WIRE,
  transferCodec,
  type TransferMessage,
} from "../../../../src/proto/transfer/messages.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { hex, readThreeWays } from "../../../support/three_ways.ts";

const hash = new Uint8Array(32).fill(0xab);
const file = {
  path: "a/ü",
  kind: "file",
  mode: 0o644,
  mtimeMs: 1_700_000_000_123,
  size: 2 ** 50,
} as const;
const result = { index: 7, outcome: "full", detail: "no space" } as const;

/** Every message, with its bytes: the vectors of docs/transfer-protocol.md. */
const VECTORS: [TransferMessage, string][] = [
  [
    { type: "open", version: 1, verb: "get", path: "a" },
    "00 706f72746f6c616e 01 01 0001 61",
  ],
  [{ type: "welcome", version: 1 }, "01 01"],
  [
    { type: "entries", entries: [file] },
    "02 00 01a4 0000018bcfe5687b 0004 612fc3bc 0004000000000000",
  ],
  [
    {
      type: "entries",
      entries: [
        { path: "d", kind: "directory", mode: 0o755, mtimeMs: -1, size: 0 },
        {
          path: "l",
          kind: "symlink",
          mode: 0o777,
          mtimeMs: 0,
          size: 0,
          target: "../x",
        },
        { path: "f", kind: "file", mode: 0, mtimeMs: 0, size: 1, root: hash },
      ],
    },
    "02 01 01ed ffffffffffffffff 0001 64" +
    "02 01ff 0000000000000000 0001 6c 0004 2e2e2f78" +
    "80 0000 0000000000000000 0001 66 0000000000000001" + "ab".repeat(32),
  ],
  [{ type: "listed", count: 3, bytes: 65536 }, "03 00000003 0000000000010000"],
  [
    { type: "have", index: 1, leaf: 2, hashes: hash },
    "04 00000001 00000002" + "ab".repeat(32),
  ],
  [
    { type: "need", index: 0, needs: ["nothing", "data", "delta"] },
    "05 00000000 00 01 02",
  ],
  [
    { type: "leaf", index: 1, leaf: 2, hash, data: hex("646174") },
    "06 00000001 00000002" + "ab".repeat(32) + "646174",
  ],
  [{ type: "close", index: 1, root: hash }, "07 00000001" + "ab".repeat(32)],
  [
    { type: "fail", index: 7, outcome: "changed", detail: "" },
    "08 00000007 03 0000",
  ],
  [{ type: "ack", leaves: 258 }, "09 0000000000000102"],
  [
    { type: "results", results: [result] },
    "0a 00000007 06 0008 6e6f207370616365",
  ],
  [{ type: "end" }, "0b"],
  [{ type: "finished" }, "0c"],
  [{ type: "error", reason: "no" }, "0d 0002 6e6f"],
  [{ type: "ask", index: 1 }, "0e 00000001"],
  [
    {
      type: "chunks",
      index: 1,
      averageBytes: 2048,
      chunks: hex("00000100" + "cd".repeat(12)),
    },
    "0f 00000001 00000800 00000100" + "cd".repeat(12),
  ],
  [
    { type: "patch", index: 1, leaf: 2, hash, patch: hex("00000000") },
    "10 00000001 00000002" + "ab".repeat(32) + "00000000",
  ],
];

Deno.test("TRANSFER_WIRE writes and reads every message", () => {
  for (const [message, bytes] of VECTORS) {
    const frame = encodeFrame(TRANSFER_WIRE, message);
    assertEquals(frame.subarray(4).toHex(), hex(bytes).toHex(), message.type);
    const { messages, errors } = readThreeWays(TRANSFER_WIRE, frame);
    assertEquals([messages, errors], [[message], []]);
  }
});

Deno.test("transferCodec refuses every message that is cut short", () => {
  const open = new Set([
    "entries",
    "need",
    "leaf",
    "patch",
    "results",
  ]);
  for (const [{ type }, text] of VECTORS) {
    const bytes = hex(text);
    for (let length = 0; length < bytes.length; length++) {
      if (open.has(type) && length > 0) continue;
      // The last page of chunks has none.
      if (type === "chunks" && length === 9) continue;
      assertThrows(
        () => transferCodec.decode(bytes.subarray(0, length)),
        RemoteProtocolError,
        "Cannot read message",
        `${type} of ${length} bytes`,
      );
    }
  }
});

Deno.test("transferCodec refuses what no sender writes", () => {
  const faults: [string, string][] = [
    ["11", "its type is not known"],
    ["00 706f72746f6c616f 01 01 0000", "does not begin"],
    ["00 706f72746f6c616e 01 09 0000", "no verb"],
    ["01 01 00", "1 bytes are left over"],
    ["02 03 01a4 0000000000000000 0001 61", "no entry is of kind 3"],
    [
      "02 00 01a4 0000000000000000 0001 61 ffffffffffffffff",
      "a size is negative",
    ],
    [
      "02 00 01a4 0000000000000000 0001 61 0004000000000001",
      "a file of 1125899906842625 bytes",
    ],
    ["02 00 01a4 7fffffffffffffff 0001 61", "out of range"],
    ["02 01 01a4 0000000000000000 0001 ff", "not UTF-8"],
    ["02 01 01a4 0000000000000000 0002 c0af", "not UTF-8"],
    ["04 00000001 00000000", "0 bytes are no hashes"],
    ["04 00000001 00000000 00", "1 bytes are no hashes"],
    ["05 00000000 03", "no need"],
    ["0a 00000000 63 0000", "no outcome"],
    ["0f 00000001 00000800 00", "1 bytes are no chunks"],
  ];
  for (const [bytes, fault] of faults) {
    assertThrows(
      () => transferCodec.decode(hex(bytes)),
      RemoteProtocolError,
      fault,
    );
  }
});
