/** A calculator that is asked by JSON-RPC 2.0, in lines. */
import {
  json,
  lines,
  RpcError,
  rpcHandler,
  runMain,
  serve,
  withParams,
} from "../../mod.ts";

const DIVISION_BY_ZERO = 1;

function twoNumbers(params: unknown): { a: number; b: number } {
  const { 0: first, 1: second, a = first, b = second } = Object(params);
  if (typeof a === "number" && typeof b === "number") return { a, b };
  throw new TypeError("Two numbers are needed, such as [6, 7]");
}

const methods = {
  add: withParams(twoNumbers, ({ a, b }) => a + b),
  multiply: withParams(twoNumbers, ({ a, b }) => a * b),
  divide: withParams(twoNumbers, ({ a, b }) => {
    if (b === 0) throw new RpcError(DIVISION_BY_ZERO, "Cannot divide by 0");
    return a / b;
  }),
  range: withParams(twoNumbers, async function* ({ a, b }) {
    for (let n = a; n < b; n++) yield n;
    return Math.max(Math.ceil(b - a), 0);
  }),
};

await runMain({
  name: "calculator",
  command: "deno run --allow-net scenarios/examples/calculator.ts",
  summary: "Answer JSON-RPC requests: add, multiply, divide, range.",
  listen: ["tcp://127.0.0.1:7002"],
  examples: [["nc 127.0.0.1 7002", "Ask it, a line for each request"]],
}, async ({ listen }, { listening, stopped }) => {
  await using server = await serve({
    listen,
    wire: lines(json()),
    handler: rpcHandler({ methods }),
  });
  listening(server.endpoints);
  await stopped;
});
