/** Commands in lines, after a login: a store that all users share. */
import { lines, Refusal, runMain, serve, text } from "../../mod.ts";

await runMain({
  name: "command_server",
  command: "deno run --allow-net scenarios/examples/command_server.ts",
  summary: "Keep texts for everybody who knows the password.",
  listen: ["tcp://127.0.0.1:7001"],
  positionals: [{
    name: "password",
    help: "What to log in with",
    required: true,
  }],
  examples: [["nc 127.0.0.1 7001", "Log in with: login ada PASSWORD"]],
}, async ({ listen, password }, { listening, stopped }) => {
  const texts = new Map<string, string>();
  await using server = await serve({
    listen,
    wire: lines(text(), { maxFrameBytes: 4096 }),
    handler: {
      async open(peer) {
        peer.send("login NAME PASSWORD");
        const [command, name, given] = (await peer.receive() ?? "").split(" ");
        if (command === "login" && name && given === password) {
          peer.send(`welcome ${name}`);
          return { name, commands: 0 };
        }
        peer.send("error: wrong login");
        throw new Refusal("wrong login");
      },
      message(peer, line) {
        const [command, key = "", ...words] = line.split(" ");
        const user = peer.state;
        user.commands++;
        if (command === "quit") return peer.close();
        if (command === "me") return peer.send(`${user.name} ${user.commands}`);
        if (command === "get") return peer.send(texts.get(key) ?? "none");
        if (command !== "set") return peer.send("set, get, me or quit?");
        texts.set(key, words.join(" "));
        peer.send("ok");
      },
    },
  });
  listening(server.endpoints);
  await stopped;
});
