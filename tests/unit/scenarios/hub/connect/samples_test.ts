import { assertEquals } from "@std/assert";
import { Samples } from "../../../../../scenarios/hub/connect/samples.ts";

Deno.test("Samples keeps all while there is room", () => {
  const samples = new Samples(4);
  for (let n = 0; n < 4; n++) samples.add(n);
  assertEquals([...samples.values], [0, 1, 2, 3]);
});

Deno.test("Samples keeps measurements spread evenly over a long run", () => {
  const samples = new Samples(8);
  for (let n = 0; n < 100; n++) samples.add(n);
  assertEquals([...samples.values], [0, 16, 32, 48, 64, 80, 96]);
});
