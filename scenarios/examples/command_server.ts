/** Commands in lines, after a login: a store of words. Try `nc 127.0.0.1 7001`. */
import { lines, serve, type Server, text } from "../../mod.ts";

interface User {
  name: string;
  commands: number;
}

/** Serves the store to those who know one of the passwords. */
export async function commandServer(
  listen: string | string[],
  passwords: ReadonlyMap<string, string>,
): Promise<Server<string, string, User>> {
  const store = new Map<string, string>();
  return await serve({
    listen,
    wire: lines(text(), { maxFrameBytes: 4096 }),
    handler: {
      async open(peer): Promise<User> {
        peer.maxFrameBytes = 100;
        peer.send("login NAME PASSWORD");
        const [name = "", password] = (await peer.receive())?.split(" ") ?? [];
        if (password === undefined || passwords.get(name) !== password) {
          peer.send("wrong");
          await peer.close("wrong password");
        }
        peer.maxFrameBytes = 4096;
        return { name, commands: 0 };
      },
      message(peer, line) {
        const [command, key = "", ...words] = line.split(" ");
        peer.state.commands++;
        switch (command) {
          case "set":
            store.set(key, words.join(" "));
            return peer.send("ok");
          case "get":
            return peer.send(store.get(key) ?? "none");
          case "me":
            return peer.send(`${peer.state.name} ${peer.state.commands}`);
          case "quit":
            return peer.close();
          default:
            return peer.send("commands: set KEY TEXT, get KEY, me, quit");
        }
      },
    },
  });
}
