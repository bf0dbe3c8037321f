/** A key-value store that is spoken to in lines, after a login. */
import { lines, type Peer, serve, type Server, text } from "../../mod.ts";

interface User {
  name: string;
  commands: number;
}

export async function commandServer(listen: string | string[], passwords: Map<string, string>) {
  const store = new Map<string, string>();
  return await serve({
    listen,
    wire: lines(text()),
    handler: {
      async open(peer) {
        peer.maxFrameBytes = 100;
        peer.send("login NAME PASSWORD");
        const [, name = "", password] = (await peer.receive())?.split(" ") ?? [];
        if (passwords.get(name) !== password) {
          peer.send("-wrong");
          await peer.close("wrong password");
        }
        peer.maxFrameBytes = 1000;
        return { name, commands: 0 };
      },
      message(peer, line) {
        const [command = "", key = "", ...value] = line.split(" ");
        peer.state.commands++;
        switch (command.toLowerCase()) {
          case "set":
            store.set(key, value.join(" "));
            return peer.send("+ok");
          case "get":
            return peer.send(store.get(key) ?? "-none");
          case "whoami":
            return peer.send(peer.state.name);
          case "quit":
            return peer.close();
          default:
            return peer.send("-unknown command");
        }
      },
    },
  });
}
