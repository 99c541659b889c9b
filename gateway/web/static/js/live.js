// The live stream: what the board shows and what happens, with the one question answered that counts: is it still true?

import { Problem, request } from "./api.js";

/** When the stream is behind by more than this, nothing on the page may be taken for the present. */
export const LAG_MS = 3000;
const RECENT = 100;
const KEPT = 200;
const TICK_MS = 250;
const AGAIN_MS = 2000;

/**
 * Tells (as events on itself): `state` (detail: shown resource), `event` (detail: envelope), `gap`, `board` (all is new),
 * `link` (detail: "connecting" | "live" | "lagging" | "lost"), `signed-out`.
 */
export class Live extends EventTarget {
  /** @type {Map<string, {domain: string, resource: string, revision: number, state: any}>} */
  board = new Map();
  /** What happened last, newest first: envelopes and gaps. @type {any[]} */
  recent = [];
  link = "connecting";
  lastSeq = 0;
  #source = /** @type {EventSource | null} */ (null);
  #heard = performance.now();
  #fastest = Infinity;
  #behind = 0;
  #behindSince = /** @type {number | null} */ (null);
  #ticking = 0;
  #again = 0;
  #stopped = false;

  /** Begin, a little before the present, so that the page tells what happened just now. */
  async start() {
    this.#ticking = window.setInterval(() => this.#judge(), TICK_MS);
    await this.#open();
  }

  stop() {
    this.#stopped = true;
    window.clearInterval(this.#ticking);
    window.clearTimeout(this.#again);
    this.#source?.close();
  }

  /** How long ago anything was heard, or how far the stream is behind, in milliseconds. */
  get lagMs() {
    const now = performance.now();
    const behind = this.#behindSince === null ? 0 : now - this.#behindSince;
    return Math.max(now - this.#heard, behind, this.#behind);
  }

  async #open() {
    try {
      if (this.lastSeq === 0) {
        const status = await request("GET", "/api/v1/status");
        this.lastSeq = Math.max(0, status.last_seq - RECENT);
      }
    } catch (problem) {
      this.#failed(problem);
      return;
    }
    if (this.#stopped) return;
    const source = new EventSource(`/api/v1/events?from_seq=${this.lastSeq + 1}`);
    this.#source = source;
    this.#fastest = Infinity;
    source.addEventListener("snapshot", (frame) => {
      const said = this.#hear(frame);
      this.board = new Map(said.shown.map((shown) => [`${shown.domain}/${shown.resource}`, shown]));
      this.#tell("board", said);
    });
    source.addEventListener("state", (frame) => {
      const shown = this.#hear(frame);
      this.board.set(`${shown.domain}/${shown.resource}`, shown);
      this.#tell("state", shown);
    });
    source.addEventListener("message", (frame) => {
      const envelope = this.#hear(frame);
      if (envelope.gwseq <= this.lastSeq) return;
      this.lastSeq = envelope.gwseq;
      this.#keep(envelope);
      this.#tell("event", envelope);
    });
    source.addEventListener("gap", (frame) => {
      const gap = this.#hear(frame);
      if (gap.reason === "ahead") this.lastSeq = gap.from - 1;
      this.#keep(gap);
      this.#tell("gap", gap);
    });
    source.addEventListener("heartbeat", (frame) => {
      const beat = this.#hear(frame);
      // The clocks of both ends need not agree: the quickest heartbeat so far stands for no delay.
      const travelled = Date.now() - Date.parse(beat.time);
      this.#fastest = Math.min(this.#fastest, travelled);
      this.#behind = travelled - this.#fastest;
      this.#behindSince = beat.seq > beat.position ? (this.#behindSince ?? performance.now()) : null;
    });
    source.addEventListener("signed_out", () => {
      this.stop();
      this.#tell("signed-out");
    });
    source.addEventListener("error", () => {
      // The browser comes back by itself after a broken line, but not after an answer that is no stream.
      if (source.readyState === EventSource.CLOSED) this.#failed(null);
    });
  }

  async #failed(problem) {
    this.#source?.close();
    if (this.#stopped) return;
    if (problem === null) {
      problem = await request("GET", "/api/v1/session").then(() => null, (error) => error);
      if (this.#stopped) return;
    }
    if (problem instanceof Problem && problem.status === 401) {
      this.stop();
      this.#tell("signed-out");
      return;
    }
    this.#again = window.setTimeout(() => this.#open(), AGAIN_MS);
  }

  #hear(frame) {
    this.#heard = performance.now();
    return JSON.parse(frame.data);
  }

  #keep(entry) {
    this.recent.unshift(entry);
    this.recent.length = Math.min(this.recent.length, KEPT);
  }

  #judge() {
    const open = this.#source?.readyState === EventSource.OPEN;
    const late = this.lagMs > LAG_MS;
    const now = late ? (open ? "lagging" : "lost") : open ? "live" : this.link === "live" ? "live" : "connecting";
    if (now !== this.link) {
      this.link = now;
      this.#tell("link", now);
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
