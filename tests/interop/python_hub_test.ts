import { assertEquals } from "@std/assert";
import { startHub } from "../../scenarios/hub/server.ts";
import { HubClient } from "../support/hub_client.ts";
import { isInstalled } from "../support/installed.ts";
import { run } from "../support/program.ts";

const PYTHON = "/usr/bin/python3";
const ignore = !await isInstalled(PYTHON, "--version");

Deno.test({
  name: "hub serves the whole client in Python that hub-protocol.md shows",
  ignore,
  async fn() {
    const page = await Deno.readTextFile("docs/hub-protocol.md");
    const program = /^```python\n([^]*?)^```$/m.exec(page)![1]!;
    await using hub = await startHub({ listen: "tcp://127.0.0.1:0" });
    using listener = await HubClient.connect(hub.endpoint);
    await listener.ask({ type: "ping" });
    const { port } = new URL(hub.endpoint.replace("tcp:", "http:"));
    for (const name of ["ann", "Åsa"]) {
      const { code, stdout, stderr } = await run([
        PYTHON,
        "-c",
        program,
        "127.0.0.1",
        port,
        name,
      ]);
      assertEquals([code, stdout], [0, "identified 1\n"], stderr);
      const { type, content, from } = await listener.hear();
      assertEquals([type, content, from], ["broadcast", "ahoy", name]);
    }
  },
});
