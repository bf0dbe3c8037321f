import { assertEquals } from "@std/assert";
import {
  permissionFaults,
  taskCommands,
  taskFaults,
} from "../../../tools/check_permissions.ts";

const EVERY = ["-" + "A", "--allow" + "-all"];

Deno.test("permissionFaults() finds a command that is granted everything", () => {
  for (const flag of EVERY) {
    const faults = permissionFaults("README.md", `x\ndeno run ${flag} a.ts\n`);
    assertEquals(faults, [
      `README.md:2: grants every permission: deno run ${flag} a.ts`,
    ]);
    assertEquals(permissionFaults("a", `"deno run ${flag}"`).length, 1);
    assertEquals(permissionFaults("a", `\`deno run ${flag}\``).length, 1);
  }
});

Deno.test("permissionFaults() accepts flags that name what they allow", () => {
  const text = "deno run --allow-net --allow-read=. a.ts\ncurl -Abc\n";
  assertEquals(permissionFaults("README.md", text), []);
});

Deno.test("taskFaults() finds a permission without a scope", () => {
  for (const kind of ["read", "write", "run", "env", "sys", "ffi"]) {
    assertEquals(
      taskFaults("x", `deno run --allow-net --allow-${kind} scenarios/x.ts`),
      [`deno.json: task x: --allow-${kind} has no scope`],
    );
    assertEquals(taskFaults("x", `deno run --allow-${kind}=a tools/x.ts`), []);
  }
});

Deno.test("taskFaults() finds a networking program without --allow-net", () => {
  for (
    const command of [
      "deno run --allow-read=. scenarios/hub/main.ts",
      "deno run src/cli/main.ts",
      "deno fmt && deno test --allow-read=. tests/",
    ]
  ) {
    assertEquals(taskFaults("x", command), [
      "deno.json: task x: --allow-net is not given",
    ]);
  }
  assertEquals(
    taskFaults("x", "deno run --allow-net=127.0.0.1 scenarios/hub/main.ts"),
    [],
  );
  assertEquals(taskFaults("x", "deno lint -q"), []);
});

Deno.test("taskCommands() reads both forms of a task", () => {
  const config = {
    tasks: { a: "deno fmt", b: { command: "deno lint" }, c: {} },
  };
  assertEquals(taskCommands(config), [
    ["a", "deno fmt"],
    ["b", "deno lint"],
    ["c", ""],
  ]);
});
