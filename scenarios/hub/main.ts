import { runMain } from "../../mod.ts";
import { startHub } from "./server.ts";

await runMain({
  name: "hub",
  summary: "Run the hub: a message server for many clients.",
  listen: ["tcp://127.0.0.1:9999"],
  options: {
    maxConnections: {
      type: "integer",
      default: 10_000,
      min: 1,
      help: "Connections in all",
    },
  },
}, async ({ listen, maxConnections }, { listening, stopped }) => {
  const hub = await startHub({ listen, limits: { maxConnections } });
  listening(hub.endpoints);
  await stopped;
  await hub.drain({ comeBackWithinMs: 5000 });
});
