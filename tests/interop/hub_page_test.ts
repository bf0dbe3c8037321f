// The hub's own page in Chromium, and a TCP client beside it.
import { assertEquals } from "@std/assert";
import { startHub } from "../../scenarios/hub/server.ts";
import { CHROMIUM, Page } from "../support/browser.ts";
import { HubClient } from "../support/hub_client.ts";
import { isInstalled } from "../support/installed.ts";

const LOG = `document.getElementById("log").innerText`;

function submit(form: string, input: string, text: string): string {
  return `(() => {
    document.getElementById(${JSON.stringify(input)}).value = ${
    JSON.stringify(text)
  };
    document.getElementById(${JSON.stringify(form)}).requestSubmit();
  })()`;
}

Deno.test({
  name:
    "people at the hub's page talk with programs, and nobody's text is markup",
  ignore: !await isInstalled(CHROMIUM, "--version"),
  async fn() {
    await using hub = await startHub({
      listen: ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"],
    });
    const [ws, tcp] = hub.endpoints as [string, string];
    using program = await HubClient.connect(tcp);
    await program.identify("robot");
    const url = ws.replace("ws:", "http:");
    assertEquals(await (await fetch(`${url}/health`)).text(), "listening\n");
    await using page = await Page.open(url);
    await page.until(
      "the connection",
      `document.getElementById("state")?.innerText === "connected"`,
    );
    await page.evaluate(submit("naming", "name", "Ann"));
    await page.until("her name", `${LOG}.includes("You are called Ann")`);
    await page.evaluate(submit("saying", "text", "ahoy <b>robot</b> ⚓"));
    const { type, from, content } = await program.hear();
    assertEquals({ type, from, content }, {
      type: "broadcast",
      from: "Ann",
      content: "ahoy <b>robot</b> ⚓",
    });
    const attack = `<img src=x onerror="document.title='owned'">`;
    await program.ask({ type: "broadcast", content: attack });
    await page.until("the attack", `${LOG}.includes("robot: <img")`);
    assertEquals(await page.evaluate("document.title"), "Portolan hub");
    assertEquals(
      String(await page.evaluate(LOG)).split("\n").slice(1, 2),
      ["you: ahoy <b>robot</b> ⚓"],
    );
    const folder = Deno.env.get("PORTOLAN_SCREENSHOTS");
    if (folder !== undefined) {
      await Deno.writeFile(`${folder}/hub.png`, await page.screenshot());
    }
  },
});
