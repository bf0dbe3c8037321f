// websocketd puts a program behind a WebSocket: a line is a message.
import { assertEquals } from "@std/assert";
import { connect, EndpointError, inOrder, lines, text } from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { Program } from "../support/program.ts";
import { turns, within } from "../support/wait.ts";

const ignore = !await isInstalled("websocketd", "--version");

/** A port that was free a moment ago: websocketd wants to be told one. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts websocketd, and waits until it listens: what it prints comes before that. */
async function start(
  ...args: string[]
): Promise<AsyncDisposable & { to: string }> {
  const port = freePort();
  const program = Program.start([
    "websocketd",
    "--address=127.0.0.1",
    `--port=${port}`,
    ...args,
  ]);
  let listens = false;
  const dialling = (async () => {
    while (!listens) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        listens = true;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        await turns();
      }
    }
  })();
  await within("websocketd", dialling);
  return {
    to: `ws://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

Deno.test({
  name: "a program behind websocketd talks with our client in both directions",
  ignore,
  async fn() {
    await using websocketd = await start(
      "sh",
      "-c",
      'echo welcome; while read -r line; do echo "$line!"; done',
    );
    await using client = await connect({
      to: websocketd.to,
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
    await using websocketd = await start(
      "--origin=https://elsewhere.example",
      "cat",
    );
    const failure = await connect({
      to: websocketd.to,
      wire: lines(text()),
      webSocket: { headers: { origin: "https://evil.example" } },
    }).catch((error) => error);
    assertEquals(failure instanceof EndpointError, true, String(failure));
    assertEquals(failure.reason.includes("403"), true, failure.reason);
  },
});
