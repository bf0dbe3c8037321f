/** A chat room: what one types, the others see. Try `nc 127.0.0.1 7000` twice. */
import {
  Group,
  lines,
  Refusal,
  runMain,
  serve,
  type Server,
  text,
} from "../../mod.ts";

interface Guest {
  name: string;
}

/** Opens a chat room at each of the endpoints. */
export async function chatRoom(
  listen: string | string[],
): Promise<Server<string, string, Guest>> {
  const wire = lines(text(), { maxFrameBytes: 1024 });
  const room = new Group(wire, { gap: (missed) => `* ${missed} lines missed` });
  return await serve({
    listen,
    wire,
    handler: {
      async open(peer): Promise<Guest> {
        peer.send("What is your name?");
        const name = await peer.receive();
        if (name === undefined) {
          throw new Refusal("gone before saying its name");
        }
        room.broadcast(`* ${name} is here`);
        room.add(peer);
        return { name };
      },
      message(peer, line) {
        room.broadcast(`${peer.state.name}: ${line}`, { except: peer });
      },
      close(peer) {
        room.broadcast(`* ${peer.state.name} has left`);
      },
    },
  });
}
