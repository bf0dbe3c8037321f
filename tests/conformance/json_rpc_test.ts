// JSON-RPC 2.0 Specification (2013-01-04), section 7: every example, byte for byte as it is printed there.
import { assertEquals } from "@std/assert";
import { json, lines, rpcHandler, serve } from "../../mod.ts";
import { RawClient } from "../support/raw_client.ts";
import { utf8 } from "../support/three_ways.ts";

const notified: unknown[] = [];
const note = (...params: unknown[]) => void notified.push(params[0]);

const METHODS = {
  subtract(params: number[] | { minuend: number; subtrahend: number }) {
    const [minuend, subtrahend] = Array.isArray(params)
      ? params as [number, number]
      : [params.minuend, params.subtrahend];
    return minuend - subtrahend;
  },
  sum: (numbers: number[]) => numbers.reduce((sum, n) => sum + n, 0),
  get_data: () => ["hello", 5],
  update: note,
  notify_hello: note,
  notify_sum: note,
};

interface Example {
  title: string;
  /** Each with the answer, or without one. */
  exchanges: [request: string, answer?: unknown][];
  notified?: unknown[];
}

const error = (code: number, message: string, id: string | null = null) => ({
  jsonrpc: "2.0",
  error: { code, message },
  id,
});
const INVALID = error(-32600, "Invalid Request");
const result = (result: unknown, id: number | string) => ({
  jsonrpc: "2.0",
  result,
  id,
});

const EXAMPLES: Example[] = [
  {
    title: "rpc call with positional parameters",
    exchanges: [
      [
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        result(19, 1),
      ],
      [
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        result(-19, 2),
      ],
    ],
  },
  {
    title: "rpc call with named parameters",
    exchanges: [
      [
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        result(19, 3),
      ],
      [
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        result(19, 4),
      ],
    ],
  },
  {
    title: "a Notification",
    exchanges: [
      ['{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}'],
      ['{"jsonrpc": "2.0", "method": "foobar"}'],
    ],
    notified: [[1, 2, 3, 4, 5]],
  },
  {
    title: "rpc call of non-existent method",
    exchanges: [
      [
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        error(-32601, "Method not found", "1"),
      ],
    ],
  },
  {
    title: "rpc call with invalid JSON",
    exchanges: [
      [
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        error(-32700, "Parse error"),
      ],
    ],
  },
  {
    title: "rpc call with invalid Request object",
    exchanges: [
      ['{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID],
    ],
  },
  {
    title: "rpc call Batch, invalid JSON",
    exchanges: [
      [
        '[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ]',
        error(-32700, "Parse error"),
      ],
    ],
  },
  {
    title: "rpc call with an empty Array",
    exchanges: [["[]", INVALID]],
  },
  {
    title: "rpc call with an invalid Batch (but not empty)",
    exchanges: [["[1]", [INVALID]]],
  },
  {
    title: "rpc call with invalid Batch",
    exchanges: [["[1,2,3]", [INVALID, INVALID, INVALID]]],
  },
  {
    title: "rpc call Batch",
    exchanges: [
      [
        "[" + [
          '{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}',
          '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}',
          '{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"}',
          '{"foo": "boo"}',
          '{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"}',
          '{"jsonrpc": "2.0", "method": "get_data", "id": "9"}',
        ].join(", ") + "]",
        [
          result(7, "1"),
          result(19, "2"),
          INVALID,
          error(-32601, "Method not found", "5"),
          result(["hello", 5], "9"),
        ],
      ],
    ],
    notified: [[7]],
  },
  {
    title: "rpc call Batch (all notifications)",
    exchanges: [
      [
        "[" + [
          '{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}',
          '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}',
        ].join(", ") + "]",
      ],
    ],
    notified: [[1, 2, 4], [7]],
  },
];

/** Without the explanations that we add to errors as `data`, which the specification leaves to us. */
function plain(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer),
    (_, value) => {
      if (value?.code !== undefined) delete value.data;
      return value;
    },
  );
}

for (const { title, exchanges, notified: expected = [] } of EXAMPLES) {
  Deno.test(`rpcHandler() answers as section 7 prints: ${title}`, async () => {
    await using server = await serve({
      listen: "memory:json-rpc",
      wire: lines(json()),
      handler: rpcHandler({ methods: METHODS }),
    });
    using client = await RawClient.connect(server.endpoint);
    notified.length = 0;
    for (const [request] of exchanges) await client.send(utf8(request + "\n"));
    await client.closeWrite();
    const received = new TextDecoder().decode(await client.receiveAll());
    const answers = received.split("\n").slice(0, -1);
    assertEquals(
      answers.map((line) => plain(JSON.parse(line))),
      exchanges.flatMap(([, answer]) => answer === undefined ? [] : [answer]),
    );
    assertEquals(notified, expected);
  });
}
