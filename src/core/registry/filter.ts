import type { AgentCondition, AgentState } from "../../store/store.ts";
import { ValinorError } from "../errors.ts";
import { FilterSyntaxError, type FilterToken, filterTokens } from "./filter-tokens.ts";

/** Most comparisons in a filter. */
export const MAX_CONDITIONS = 20;

type Field = AgentCondition["field"];

const fields: Readonly<Record<string, Field>> = {
  id: "id",
  status: "status",
  vsock_cid: "vsockCid",
  address: "address",
};

const states: readonly AgentState[] = ["PROVISIONING", "RUNNING", "STOPPED", "FAILED"];

/**
 * Reads the filter of ListAgents (its grammar is in the proto): the comparisons, all of which must hold. Empty: none. Throws
 * INVALID_ARGUMENT that says what was expected, and at which character.
 */
export function parseFilter(text: string): AgentCondition[] {
  try {
    return conditionsOf(filterTokens(text));
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    throw new ValinorError("INVALID_ARGUMENT", `filter, character ${error.at + 1}: ${error.message}`);
  }
}

function conditionsOf(tokens: readonly FilterToken[]): AgentCondition[] {
  if (tokens[0]?.kind === "end") return [];
  const conditions: AgentCondition[] = [];
  for (let at = 0; ; at += 4) {
    const field = tokenAt(tokens, at);
    if (conditions.length === MAX_CONDITIONS)
      throw new FilterSyntaxError(field.at, `at most ${MAX_CONDITIONS} comparisons are taken`);
    conditions.push(conditionOf(field, tokenAt(tokens, at + 1), tokenAt(tokens, at + 2)));
    const joint = tokenAt(tokens, at + 3);
    if (joint.kind === "end") return conditions;
    if (joint.kind !== "word" || joint.value !== "AND") throw expected("AND or the end", joint);
  }
}

/** The last token is the end, and what comes after it. */
function tokenAt(tokens: readonly FilterToken[], at: number): FilterToken {
  const token = tokens[Math.min(at, tokens.length - 1)];
  if (token === undefined) throw new Error("a filter has no tokens");
  return token;
}

function conditionOf(name: FilterToken, operator: FilterToken, value: FilterToken): AgentCondition {
  const field = name.kind === "word" && Object.hasOwn(fields, name.value) ? fields[name.value] : undefined;
  if (field === undefined) throw expected(`a field (${Object.keys(fields).join(", ")})`, name);
  if (operator.kind !== "operator") throw expected("= or !=", operator);
  if (value.kind !== "word" && value.kind !== "text") throw expected("a value", value);
  const isEqual = operator.value === "=";
  if (field === "vsockCid") return { field, op: isEqual ? "eq" : "ne", value: cidOf(value) };
  if (field === "status") return { field, op: isEqual ? "eq" : "ne", value: stateOf(value) };
  if (value.star === "inside")
    throw new FilterSyntaxError(
      value.at,
      'a * may only be at the end of a value; a star itself is written "\\*"',
    );
  const op = value.star === "end" ? (isEqual ? "prefix" : "notPrefix") : isEqual ? "eq" : "ne";
  return { field, op, value: value.value };
}

function stateOf(token: FilterToken): AgentState {
  const state = states.find((name) => token.star === "none" && name === token.value);
  if (state === undefined) throw expected(`a status (${states.join(", ")})`, token);
  return state;
}

function cidOf(token: FilterToken): number {
  const cid = /^\d{1,10}$/.test(token.value) && token.star === "none" ? Number(token.value) : Infinity;
  if (cid > 0xffff_ffff) throw expected("a number of 32 bits", token);
  return cid;
}

function expected(what: string, found: FilterToken): FilterSyntaxError {
  const name = found.kind === "end" ? "the end" : JSON.stringify(found.value.slice(0, 40));
  return new FilterSyntaxError(found.at, `${what} was expected, not ${name}`);
}
