/** A chat room: what one types, the others see. */
import { Group, lines, Refusal, runMain, serve, text } from "../../mod.ts";

const wire = lines(text(), { maxFrameBytes: 1024 });
const room = new Group<string>({ gap: (missed) => `* ${missed} lines missed` });

await runMain({
  name: "chat_room",
  command: "deno run --allow-net scenarios/examples/chat_room.ts",
  summary: "Open a chat room for everybody who speaks in lines.",
  listen: ["tcp://127.0.0.1:7000"],
  examples: [["nc 127.0.0.1 7000", "Enter it, in two other terminals"]],
}, async ({ listen }, { listening, stopped }) => {
  await using server = await serve({
    listen,
    wire,
    handler: {
      async open(peer) {
        peer.send("What is your name?");
        const name = await peer.receive();
        if (!name) throw new Refusal("no name");
        peer.send(`* Here already: ${room.size}`);
        room.broadcast(`* ${name} has come`);
        room.add(peer);
        return { name };
      },
      message(peer, line) {
        room.broadcast(`${peer.state.name}: ${line}`, { except: peer });
      },
      close(peer) {
        room.broadcast(`* ${peer.state.name} has left`);
      },
      drain: (peer) => peer.send("* The room closes"),
    },
  });
  listening(server.endpoints);
  await stopped;
});
