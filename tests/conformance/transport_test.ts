import { ROADS } from "../support/roads.ts";
import { transportSuite } from "./transport_suite.ts";

ROADS.forEach(transportSuite);
