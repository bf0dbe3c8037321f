// websocketd puts a program behind a WebSocket: a line is a message.
import { assertEquals } from "@std/assert";
import { connect, EndpointError, inOrder, lines, text } from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { Program } from "../support/program.ts";
import { within } from "../support/wait.ts";

const ignore = !await isInstalled("websocketd", "--version");

/** A port that was free a moment ago: websocketd wants to be told one. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test({
  name: "a program behind websocketd talks with our client in both directions",
  ignore,
  async fn() {
    const port = freePort();
    await using websocketd = Program.start([
      "websocketd",
      "--address=127.0.0.1",
      `--port=${port}`,
      "sh",
      "-c",
      'echo welcome; while read -r line; do echo "$line!"; done',
    ]);
    await websocketd.until(
      "its start",
      () => `${websocketd.output}${websocketd.errors}`.includes("Starting"),
    );
    const to = `ws://127.0.0.1:${port}/`;
    await using client = await connect({
      to,
      wire: lines(text()),
      correlate: inOrder(),
    });
    assertEquals(await within("its words", client.receive()), "welcome");
    for (const line of ["ahoy", "", "ümlaut ⚓", "x".repeat(10_000)]) {
      assertEquals(await client.request(line), `${line}!`);
    }
  },
});

Deno.test({
  name: "websocketd refuses our client when its program is told to",
  ignore,
  async fn() {
    const port = freePort();
    await using websocketd = Program.start([
      "websocketd",
      "--address=127.0.0.1",
      `--port=${port}`,
      "--origin=https://elsewhere.example",
      "cat",
    ]);
    await websocketd.until(
      "its start",
      () => `${websocketd.output}${websocketd.errors}`.includes("Starting"),
    );
    const failure = await connect({
      to: `ws://127.0.0.1:${port}/`,
      wire: lines(text()),
      webSocket: { headers: { origin: "https://evil.example" } },
    }).catch((error) => error);
    assertEquals(failure instanceof EndpointError, true, String(failure));
    assertEquals(failure.reason.includes("403"), true, failure.reason);
  },
});
