// Requests to the gateway: the proof against forged requests, the language, and errors with their cause and next action.

import { language } from "./i18n.js";

/** An answer that is no success: RFC 9457 problem details. */
export class Problem extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.title = body?.title ?? `HTTP ${status}`;
    this.detail = body?.detail ?? "";
    this.retryable = Boolean(body?.retryable);
  }
}

let proof = "";

/** @param {string} method @param {string} path @param {any} [body] @param {Record<string, string>} [headers] */
export async function request(method, path, body, headers = {}) {
  const answer = await fetch(path, {
    method,
    headers: {
      "Accept-Language": language(),
      ...(proof && method !== "GET" ? { "X-CSRF-Token": proof } : {}),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const said = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, said);
  return said;
}

/** Who is signed in; `null` when nobody is. */
export async function whoAmI() {
  try {
    return remember(await request("GET", "/api/v1/session"));
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) return null;
    throw problem;
  }
}

/** @param {string} name @param {string} password */
export const signIn = async (name, password) => remember(await request("POST", "/api/v1/session", { name, password }));

export const signOut = () => request("DELETE", "/api/v1/session");

/**
 * Carry out a command and wait for its end. A repeated call with the same `id` is answered, never done a second time.
 * @param {string} name `tel.dial`
 * @param {object} data
 * @param {{ id?: string, waitS?: number, ttlS?: number }} [options]
 */
export function command(name, data, { id = newId(), waitS = 10, ttlS } = {}) {
  const query = ttlS === undefined ? "" : `?ttl_s=${ttlS}`;
  return request("POST", `/api/v1/commands/${name}${query}`, data, { "Idempotency-Key": id, Prefer: `wait=${waitS}` });
}

export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

function remember(session) {
  proof = session.csrf;
  return session;
}
