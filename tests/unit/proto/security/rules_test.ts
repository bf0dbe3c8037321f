import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  matchesPattern,
  MAX_RULES,
  parseRules,
  type Rule,
  Rules,
} from "../../../../src/proto/security/rules.ts";
import { checkProperty, fc } from "../../../support/property.ts";

const ADA = { roles: ["user"] };
const ROOT = { roles: ["user", "admin"] };
const NOBODY = { roles: [] };

Deno.test("Rules.decide() denies what no rule is about", () => {
  assertEquals(new Rules([]).decide(ROOT, { type: "say" }), {
    allowed: false,
    rule: undefined,
    group: undefined,
    reason: 'no rule allows "say"',
  });
});

Deno.test("Rules.decide() follows the first rule that is about the action", () => {
  const rules = new Rules([
    { allow: ["admin"] },
    { deny: ["user"], types: ["ban"], note: "admins only" },
    { allow: ["user"], types: ["*"] },
  ]);
  assertEquals(rules.decide(ROOT, { type: "ban" }).rule, 0);
  assertEquals(
    rules.decide(ADA, { type: "ban" }).reason,
    'rule 2 denies "ban" (admins only)',
  );
  assertEquals(rules.decide(ADA, { type: "say" }).rule, 2);
  assertEquals(rules.decide(NOBODY, { type: "say" }).allowed, false);
});

Deno.test("Rules.decide() wants every group to be allowed", () => {
  const rules = new Rules([
    { deny: ["*"], groups: ["*-private"] },
    { allow: ["user"], types: ["join"], groups: ["team-*"] },
  ]);
  const join = (...groups: string[]) =>
    rules.decide(ADA, { type: "join", groups });
  assertEquals(join("team-1", "team-2").allowed, true);
  assertEquals(join("team-1", "staff").group, "staff");
  assertEquals(join("team-private").rule, 0);
  assertEquals(join().allowed, false, "a rule on groups is about groups alone");
});

Deno.test("Rules.decide() lets a rule without groups be about any group", () => {
  const rules = new Rules([{ allow: ["user"], types: ["say"] }]);
  assert(rules.decide(ADA, { type: "say", groups: ["lobby"] }).allowed);
  assert(rules.decide(ADA, { type: "say" }).allowed);
});

Deno.test("Rules.decide() takes the wish for * in a role or a type as a name", () => {
  const rules = new Rules([{ allow: ["user"], types: ["say"] }]);
  assertEquals(rules.decide({ roles: ["*"] }, { type: "say" }).allowed, false);
  assertEquals(rules.decide(ADA, { type: "*" }).allowed, false);
});

Deno.test("Rules() names the place of what is wrong", () => {
  const cases: [unknown, string][] = [
    [{}, "it must be a list of rules: current value is {}"],
    [[1], "[0] must be an object: current value is 1"],
    [[{ types: ["say"] }], "[0] must have one of allow and deny"],
    [[{ allow: ["a"], deny: ["b"] }], "[0] must have one of allow and deny"],
    [[{ allow: [] }], "[0].allow must be a list with at least one name"],
    [
      [{ allow: "a" }],
      '[0].allow must be a list with at least one name: current value is "a"',
    ],
    [
      [{ allow: ["a"] }, { deny: ["a", 7] }],
      "[1].deny[1] must be a name: current value is 7",
    ],
    [[{ allow: ["a"], group: ["b"] }], "[0].group is not known"],
    [[{ allow: ["a"], note: 1 }], "[0].note must be a text"],
    [
      new Array(MAX_RULES + 1).fill({ allow: ["a"] }),
      "must have 10000 rules at most",
    ],
  ];
  for (const [json, message] of cases) {
    assertThrows(() => new Rules(json, "r.json"), TypeError, message);
  }
});

Deno.test("Rules() keeps its own copy", () => {
  const rule = { allow: ["user"], types: ["say"] };
  const rules = new Rules([rule]);
  rule.types.push("ban");
  assertEquals(rules.decide(ADA, { type: "ban" }).allowed, false);
});

Deno.test("parseRules() tells what is no JSON", () => {
  assertThrows(
    () => parseRules('[{"allow": ["a"],}]', "r.json"),
    SyntaxError,
    "Cannot use rules of r.json: it is no JSON",
  );
});

Deno.test("matchesPattern() agrees with a regular expression", () => {
  const short = (alphabet: string) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength: 8 })
      .map((letters) => letters.join(""));
  checkProperty(fc.tuple(short("ab*"), short("ab")), ([pattern, text]) => {
    const source = pattern.replaceAll(/\*+/g, ".*");
    const expected = new RegExp(`^${source}$`).test(text);
    assertEquals(matchesPattern(pattern, text), expected);
  }, 2_000);
});

Deno.test("matchesPattern() takes no exponential time", () => {
  const pattern = "*a".repeat(50) + "b";
  const start = performance.now();
  assert(!matchesPattern(pattern, "a".repeat(4_000)));
  assert(performance.now() - start < 1_000);
});

Deno.test("Rules.decide() agrees with a plain model", () => {
  const name = fc.constantFrom("a", "b", "c", "*");
  const names = fc.array(name, { minLength: 1, maxLength: 3 });
  const rule: fc.Arbitrary<Rule> = fc.record({
    isAllow: fc.boolean(),
    who: names,
    types: fc.option(names, { nil: undefined }),
    groups: fc.option(names, { nil: undefined }),
  }).map(({ isAllow, who, types, groups }) => ({
    [isAllow ? "allow" : "deny"]: who,
    ...(types && { types }),
    ...(groups && { groups }),
  }));
  const who = fc.subarray(["a", "b", "c"]);
  const plain = fc.constantFrom("a", "b", "c");
  checkProperty(
    fc.tuple(
      fc.array(rule, { maxLength: 6 }),
      who,
      plain,
      fc.subarray(["a", "b", "c"]),
    ),
    ([list, roles, type, groups]) => {
      const matches = (patterns: readonly string[], texts: readonly string[]) =>
        patterns.some((it) => it === "*" || texts.includes(it));
      const allowed = (groups.length > 0 ? groups : [undefined]).every(
        (group) => {
          const found = list.find((rule) =>
            matches(rule.allow ?? rule.deny!, roles) &&
            matches(rule.types ?? ["*"], [type]) &&
            (rule.groups === undefined ||
              group !== undefined && matches(rule.groups, [group]))
          );
          return found?.allow !== undefined;
        },
      );
      const rules = new Rules(list);
      const decision = rules.decide({ roles }, { type, groups });
      assertEquals(decision.allowed, allowed);
      assertEquals(rules.allows({ roles }, { type, groups }), allowed);
    },
    1_000,
  );
});
