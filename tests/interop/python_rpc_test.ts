// A client in Python that was written from the JSON-RPC 2.0 specification and the table of extensions alone.
import { assertEquals } from "@std/assert";
import { json, lines, RpcError, rpcHandler, serve } from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { run } from "../support/program.ts";

const CLIENT = new URL("../testdata/python_rpc_client.py", import.meta.url);

let times = 0;

const METHODS = {
  add(params: unknown[] | { a: number; b: number }) {
    const [a, b] = Array.isArray(params) ? params : [params.a, params.b];
    if (typeof a !== "number" || typeof b !== "number") {
      throw new RpcError(-32602, "Two numbers are needed");
    }
    return a + b;
  },
  async *count({ to }: { to: number }) {
    for (let n = 1; n <= to; n++) yield n;
    return "done";
  },
  sleep: () => new Promise(() => {}),
  once: () => ++times,
  later: () => new Promise((resolve) => setTimeout(() => resolve("late"), 20)),
};

const error = (id: number, code: number, message: string) => ({
  jsonrpc: "2.0",
  error: { code, message },
  id,
});
const result = (id: number | string, result: unknown) => ({
  jsonrpc: "2.0",
  result,
  id,
});
const item = (value: number) => ({
  jsonrpc: "2.0",
  method: "$/progress",
  params: { token: 6, value },
});

Deno.test({
  name: "rpcHandler() serves a client in Python",
  ignore: !await isInstalled("python3", "--version"),
  async fn() {
    await using server = await serve({
      listen: "tcp://127.0.0.1:0",
      wire: lines(json()),
      handler: rpcHandler({ methods: METHODS }),
    });
    const { port } = new URL(server.endpoint.replace("tcp:", "http:"));
    const { code, stdout, stderr } = await run([
      "python3",
      CLIENT.pathname,
      port,
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
      result(1, 5),
      result("é", -0.5),
      error(3, -32601, "Method not found"),
      [result(4, 2), error(5, -32602, "Two numbers are needed")],
      item(1),
      item(2),
      item(3),
      result(6, "done"),
      error(7, -32800, "The call was cancelled"),
      error(8, -32000, "The deadline has passed"),
      result(9, 1),
      result(10, 1),
      result(11, "late"),
    ]);
  },
});
