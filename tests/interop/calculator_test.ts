import { assertEquals } from "@std/assert";
import { isInstalled } from "../support/installed.ts";
import { Program, run } from "../support/program.ts";

const EXAMPLE = "scenarios/examples/calculator.ts";

Deno.test({
  name: "calculator answers the requests of nc, and then ends in order",
  ignore: !await isInstalled("nc", "-h"),
  async fn() {
    await using calculator = await Program.serve(
      [Deno.execPath(), "run", "--allow-net", EXAMPLE, "--port=0"],
    );
    const ask = (id: number, method: string, params: unknown, more = {}) =>
      JSON.stringify({ jsonrpc: "2.0", id, method, params, ...more }) + "\n";
    const { stdout } = await run(
      ["nc", "-N", "127.0.0.1", `${calculator.port}`],
      {
        input: ask(1, "add", [2, 3]) +
          ask(2, "multiply", { a: 6, b: 7 }) +
          ask(3, "divide", [1, 0]) +
          ask(4, "divide", ["1", 2]) +
          ask(5, "range", [1, 3], { stream: true }),
      },
    );
    const answers = stdout.trimEnd().split("\n").map((line) => {
      const { id, result, error, params } = JSON.parse(line);
      return id === undefined ? params.value : [id, error?.message ?? result];
    });
    const why = "Two numbers are needed, such as [6, 7]";
    assertEquals(answers, [
      [1, 5],
      [2, 42],
      [3, "Cannot divide by 0"],
      [4, `Invalid params: ${why}`],
      1,
      2,
      [5, 2],
    ]);
    assertEquals(await calculator.stop(), 0);
  },
});
