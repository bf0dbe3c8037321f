import { assertEquals } from "@std/assert";
import { HubSession } from "../../scenarios/hub/connect/session.ts";
import { startHub } from "../../scenarios/hub/server.ts";
import { hasTmux, Tmux } from "../support/tmux.ts";

const ignore = !await hasTmux();
if (ignore) console.log("terminal_test.ts: skipped: tmux is not installed");

/** A hub, somebody on it, and the interactive client in a real terminal. */
async function withTerminal(
  test: (
    terminal: Tmux,
    bob: HubSession,
    hub: Awaited<ReturnType<typeof startHub>>,
  ) => Promise<void>,
): Promise<void> {
  await using hub = await startHub({ listen: "tcp://127.0.0.1:0" });
  const to = hub.endpoints[0]!;
  await using bob = await HubSession.open({ to });
  await bob.ask<"identify">({ type: "identify", name: "bob" });
  const command = `"${Deno.execPath()}" run --no-prompt --allow-net ` +
    `scenarios/hub/connect.ts ${to}; echo "exit $?"; stty -a; cat`;
  await using terminal = await Tmux.run(command);
  await terminal.until("the prompt", (rows) => rows.at(-1) === "you>");
  await test(terminal, bob, hub);
}

const ends = (text: string) => (rows: string[]): boolean =>
  rows.at(-1)?.endsWith(text) ?? false;

Deno.test({
  name: "connect keeps the line being typed whole while messages come in",
  ignore,
  fn: () =>
    withTerminal(async (terminal, bob) => {
      const line = "a line that is being typed while others speak, so long " +
        "that it needs two rows of the terminal";
      await terminal.type(line);
      await terminal.until("the line", ends("of the terminal"));
      for (let n = 1; n <= 5; n++) {
        const content = `message ${n}\x1b[2J\x08港`;
        await bob.ask<"broadcast">({ type: "broadcast", content });
      }
      const rows = await terminal.until(
        "five messages",
        (rows) => rows.some((row) => row.includes("message 5")),
      );
      assertEquals(
        rows.filter((row) => row.includes("bob:"))
          .map((row) => row.replace(/^\d\d:\d\d /, "")),
        [1, 2, 3, 4, 5].map((n) => `bob: message ${n}港`),
      );
      assertEquals(rows.slice(-2).join(""), `you> ${line}`);
      await terminal.press("Enter");
      await terminal.until(
        "the confirmation",
        (rows) => rows.at(-2) === "sent to 1 other",
      );
    }),
});

Deno.test({
  name: "connect draws the line anew when the terminal changes its size",
  ignore,
  fn: () =>
    withTerminal(async (terminal, bob) => {
      const line = "twenty four characters. ".repeat(4).trim();
      await terminal.type(line);
      await terminal.until("the line", ends("characters."));
      await terminal.resize(40, 24);
      await terminal.until(
        "three rows",
        (rows) => rows.slice(-3).join("") === `you> ${line}`,
      );
      await terminal.resize(120, 24);
      await terminal.until(
        "one row",
        (rows) => rows.at(-1) === `you> ${line}`,
      );
      await bob.ask<"broadcast">({ type: "broadcast", content: "still here" });
      const rows = await terminal.until(
        "the message",
        (rows) => rows.at(-2)?.endsWith("bob: still here") ?? false,
      );
      assertEquals(rows.at(-1), `you> ${line}`);
      assertEquals(
        rows.filter((row) => row.startsWith("you>")).length,
        1,
        rows.join("\n"),
      );
    }),
});

Deno.test({
  name: "connect completes, recalls and edits lines",
  ignore,
  fn: () =>
    withTerminal(async (terminal) => {
      await terminal.type("/na");
      await terminal.press("Tab");
      await terminal.type("ann");
      await terminal.until("the command", ends("/name ann"));
      await terminal.press("Enter");
      await terminal.until("the new prompt", (rows) => rows.at(-1) === "ann>");
      await terminal.type("/to");
      await terminal.until("the hint", ends("/to [NAME|#ROOM] [TEXT]"));
      await terminal.type(" b");
      await terminal.press("Tab");
      await terminal.until("the name", ends("/to bob"));
      await terminal.press("C-c");
      await terminal.until("an empty line", (rows) => rows.at(-1) === "ann>");
      await terminal.press("Up");
      await terminal.until("the last line", ends("/name ann"));
      await terminal.press("BSpace", "BSpace", "BSpace");
      await terminal.type("港");
      await terminal.press("Left");
      await terminal.type("x");
      await terminal.until("the edited line", ends("/name x港"));
      assertEquals((await terminal.cursor()).column, "ann> /name x".length);
    }),
});

Deno.test({
  name: "connect gives the terminal back and exits 0 on Ctrl-D",
  ignore,
  fn: () =>
    withTerminal(async (terminal) => {
      await terminal.press("C-d");
      const rows = await terminal.until(
        "the end",
        (rows) => rows.some((row) => row.includes("icanon")),
      );
      assertEquals(rows.includes("exit 0"), true, rows.join("\n"));
      const modes = rows.join(" ");
      assertEquals(/(?<!-)icanon.*(?<!-)echo\b/.test(modes), true, modes);
    }),
});

Deno.test({
  name: "connect comes back with its name, its rooms and the line being typed",
  ignore,
  fn: () =>
    withTerminal(async (terminal, _bob, hub) => {
      await terminal.type("/name ada");
      await terminal.press("Enter");
      await terminal.until("the name", ends("ada>"));
      await terminal.type("/join deck");
      await terminal.press("Enter");
      await terminal.until(
        "the room",
        (rows) => rows.some((row) => row.startsWith("You are in #deck")),
      );
      await terminal.type("half a line");
      await terminal.until("the line", ends("half a line"));
      await hub.drain({ comeBackWithinMs: 100 });
      await using again = await startHub({ listen: hub.endpoint });
      const rows = await terminal.until(
        "the connection",
        (rows) => rows.some((row) => row.startsWith("connected again")),
      );
      assertEquals(/going away; come back in/.test(rows.join(" ")), true);
      assertEquals(rows.at(-1), "ada> half a line");
      await using bob = await HubSession.open({ to: again.endpoint });
      const { clients } = await bob.ask<"list">({ type: "list" });
      assertEquals(clients[0]?.name, "ada");
      const joined = await bob.ask<"join">({ type: "join", room: "deck" });
      assertEquals(joined.members, 2);
    }),
});
