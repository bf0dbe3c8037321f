/**
 * The project's own rules, as a plugin of `deno lint`.
 *
 * @module
 */

import { relative, sep } from "node:path";
import { importFault, isPure, messageFault, zone } from "./rules.ts";

const ROOT = `${import.meta.dirname}/..`;

/** Globals that a pure core does not touch: IO, clocks, timers and chance. */
const IMPURE_GLOBALS =
  "Deno|process|performance|crypto|console|fetch|WebSocket|Worker";
const IMPURE_CALLS =
  "setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|" +
  "clearImmediate|queueMicrotask|fetch|Date";

type Reported = Deno.lint.Node;

/** A rule that visits nodes of the files that `applies` accepts. */
function rule(
  applies: (path: string) => boolean,
  visitors: (
    path: string,
    report: (node: Reported, message: string | undefined) => void,
  ) => Deno.lint.LintVisitor,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = relative(ROOT, context.filename).replaceAll(sep, "/");
      if (!applies(path)) return {};
      return visitors(path, (node, message) => {
        if (message !== undefined) context.report({ node, message });
      });
    },
  };
}

const shipped = (path: string) => zone(path) !== undefined;

const plugin: Deno.lint.Plugin = {
  name: "portolan",
  rules: {
    /** Cores take time and chance as parameters, and do no IO. */
    pure: rule(isPure, (_path, report) => {
      const impure = (node: Reported) =>
        report(node, "A pure core takes time, chance and IO from its caller");
      return {
        [`MemberExpression[object.name=/^(${IMPURE_GLOBALS})$/]`]: impure,
        [`CallExpression[callee.name=/^(${IMPURE_CALLS})$/]`]: impure,
        "MemberExpression[object.name='Date'][property.name='now']": impure,
        "MemberExpression[object.name='Math'][property.name='random']": impure,
        "NewExpression[callee.name='Date'][arguments.length=0]": impure,
      };
    }),

    /** Imports point down the layers, and resolve for remote importers. */
    imports: rule(shipped, (path, report) => {
      const check = (node: Reported, source: unknown) => {
        if (typeof source === "string") report(node, importFault(path, source));
      };
      return {
        ImportDeclaration: (node) => check(node, node.source.value),
        ExportAllDeclaration: (node) => check(node, node.source.value),
        ExportNamedDeclaration: (node) => check(node, node.source?.value),
        ImportExpression: (node) =>
          check(
            node,
            node.source.type === "Literal" ? node.source.value : undefined,
          ),
      };
    }),

    /** A library is silent: only commands and applications print. */
    "no-console": rule(
      (path) => {
        const at = zone(path);
        return at !== undefined && at !== "cli" && at !== "scenarios";
      },
      (_path, report) => ({
        "MemberExpression[object.name='console']": (node) =>
          report(node, "The library does not print: emit an event instead"),
      }),
    ),

    /** Messages follow the grammar of the standard library's errors. */
    "error-message": rule(shipped, (_path, report) => {
      const check = (node: Reported, message: Deno.lint.Node | undefined) =>
        report(node, messageFault(message));
      return {
        NewExpression(node) {
          if (node.callee.type !== "Identifier") return;
          const { name } = node.callee;
          if (/^(Type|Range|Syntax|Aggregate)?Error$/.test(name)) {
            check(node, node.arguments[name === "AggregateError" ? 1 : 0]);
          } else if (name.endsWith("ProtocolError")) {
            check(node, node.arguments[1]);
          }
        },
        "ClassDeclaration[superClass.name=/Error$/] CallExpression[callee.type='Super']"(
          node: Deno.lint.CallExpression,
        ) {
          check(node, node.arguments[0]);
        },
      };
    }),

    /** Two arguments and an object of options are enough. */
    "max-arguments": rule(
      (path) => shipped(path) && !isPure(path),
      (_path, report) => ({
        "ExportNamedDeclaration > FunctionDeclaration[params.length>3]"(
          node: Deno.lint.FunctionDeclaration,
        ) {
          report(
            node,
            "An exported function has three parameters at most, the last of " +
              "them options",
          );
        },
      }),
    ),
  },
};

export default plugin;
