// The Slack pane: channels and direct messages as the acting person sees them, cards that can be clicked, modals, commands.

import { renderBlocks } from "./blocks.js";
import { ask } from "./ask.js";
import { el, mrkdwn } from "./mrkdwn.js";
import { ModalHost } from "./modal.js";

const byId = (id) => document.getElementById(id);
const SHOWN = 120;
const COLOURS = ["#0b6e4f", "#9c2c77", "#1264a3", "#b25600", "#6b4fbb", "#a11d33", "#207178"];

export class Workspace {
  constructor(people, actor, openRecord) {
    this.openRecord = openRecord;
    this.people = people;
    this.actor = actor;
    this.channels = {};
    this.messages = new Map();
    this.nodes = new Map();
    this.unread = {};
    this.since = 0;
    this.current = "";
    this.modals = new ModalHost(this);
    byId("composer").addEventListener("submit", (event) => this.say(event));
  }

  get user() { return this.actor(); }

  actAs() {
    const direct = "D" + this.user.slice(1);
    if (!this.current || this.current === "home" || this.current.startsWith("D")) this.current = direct;
    this.nodes.clear();
    this.drawSide();
    this.drawMessages(true);
  }

  async refresh() {
    const state = await ask(`/sandbox/state?since=${this.since}&user=${this.user}`);
    this.modals.show(state.view);
    this.home = state.home;
    if (state.changes === this.since) return;
    const first = this.since === 0;
    this.since = state.changes;
    this.channels = Object.fromEntries(state.channels.map((channel) => [channel.id, channel]));
    for (const message of state.messages) {
      const known = this.messages.has(message.ts);
      this.messages.set(message.ts, message);
      if (!known && !first && message.channel !== this.current && !message.deleted) this.unread[message.channel] = (this.unread[message.channel] ?? 0) + 1;
    }
    this.drawSide();
    this.drawMessages(first);
  }

  go(channel) {
    this.current = channel;
    delete this.unread[channel];
    this.drawSide();
    this.drawMessages(true);
    if (channel === "home") this.act("home", {});
  }

  drawSide() {
    const item = (id, label) => el("li", {}, el("button", { class: (id === this.current ? "on" : "") + (this.unread[id] ? " new" : ""), onclick: () => this.go(id) },
      el("span", {}, label), this.unread[id] ? el("b", { class: "badge" }, String(this.unread[id])) : null));
    const own = "D" + this.user.slice(1);
    const all = Object.values(this.channels);
    this.busy = new Set([...this.messages.values()].map((message) => message.channel));
    byId("channels").replaceChildren(...all.filter((c) => !c.user).map((c) => item(c.id, `# ${c.name}`)));
    byId("apps").replaceChildren(item(own, "Leadswitch"), item("home", "Leadswitch · Home"));
    byId("others").replaceChildren(...all.filter((c) => c.user && c.id !== own && this.busy.has(c.id)).map((c) => item(c.id, this.people[c.user]?.name ?? c.user)));
    const channel = this.channels[this.current];
    byId("talk-name").textContent = this.current === "home" ? "Leadswitch · Home" : !channel || channel.user ? "Leadswitch" : `# ${channel.name}`;
    const watching = channel?.user && channel.user !== this.user;
    byId("talk-note").textContent = watching ? `what ${this.people[channel.user]?.name} sees; clicks act as ${this.people[this.user].name}` : `as ${this.people[this.user].name}`;
    byId("composer").hidden = this.current === "home";
  }

  drawMessages(jump = false) {
    const place = byId("messages");
    const atEnd = jump || place.scrollHeight - place.scrollTop - place.clientHeight < 80;
    if (this.current === "home") {
      if (this.home?.hash !== this.homeHash) { this.homeHash = this.home?.hash; this.homeValues = {}; }
      const blocks = this.home ? renderBlocks(this.home.blocks, this.viewContext(this.home, (this.homeValues ??= {}))) : el("p", {}, "The app has not published a home tab.");
      place.replaceChildren(el("div", { class: "home" }, blocks));
      return;
    }
    const inside = [...this.messages.values()].filter((m) => m.channel === this.current && !m.deleted && (!m.only_for || m.only_for === this.user));
    const tops = inside.filter((m) => !m.thread_ts || m.thread_ts === m.ts || m.only_for).sort((a, b) => (a.ts < b.ts ? -1 : 1)).slice(-SHOWN);
    place.replaceChildren(...tops.map((message) => this.message(message, inside.filter((m) => m.thread_ts === message.ts && m.ts !== message.ts && !m.only_for))));
    if (!tops.length) place.replaceChildren(el("p", { class: "empty" }, "Nothing here yet."));
    if (atEnd) place.scrollTop = place.scrollHeight;
  }

  message(message, replies) {
    const stamp = `${message.seen}.${replies.map((reply) => reply.seen).join(".")}`;
    const known = this.nodes.get(message.ts);
    if (known?.stamp === stamp) return known.node;
    const name = message.bot ? "Leadswitch" : this.people[message.user]?.name ?? message.user;
    const colour = message.bot ? "#5b21b6" : COLOURS[(this.people[message.user]?.number ?? 0) % COLOURS.length];
    const at = new Date(Number(message.ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const node = el("div", { class: "message" + (message.only_for ? " private" : "") },
      el("div", { class: "avatar", style: `background:${colour}` }, message.bot ? "⇄" : name[0]),
      el("div", {},
        message.only_for ? el("div", { class: "privately" }, "Only visible to you") : null,
        el("span", { class: "who" }, name), message.bot ? el("span", { class: "app-tag" }, "APP") : null, el("time", {}, at),
        message.edited ? el("span", { class: "edited" }, "(edited)") : null,
        this.body(message),
        replies.length ? el("div", { class: "replies" }, ...replies.map((reply) => this.body(reply))) : null));
    this.nodes.set(message.ts, { stamp, node });
    return node;
  }

  body(message) {
    if (!message.blocks?.length) { const text = mrkdwn(message.text, this.people, this.channels); text.classList.add("plain"); return text; }
    const press = async (action, confirm, button) => {
      if (confirm && !window.confirm(`${confirm.title.text}\n\n${confirm.text.text}`)) return;
      if (button) button.disabled = true;
      await this.act("press", { channel: message.channel, ts: message.ts, action });
      if (button) button.disabled = false;
    };
    return renderBlocks(message.blocks, { people: this.people, channels: this.channels, press, openRecord: this.openRecord });
  }

  viewContext(view, values, wrong) {
    const press = (action) => this.act("press", { view_id: view.id, action, values });
    const suggest = async (block_id, action_id, query) => (await this.act("suggest", { view_id: view.id, block_id, action_id, query })).answer;
    return { people: this.people, channels: this.channels, press, suggest, values, wrong };
  }

  async say(event) {
    event.preventDefault();
    const text = byId("say").value.trim();
    if (!text) return;
    byId("say").value = "";
    await this.act("say", { channel: this.channels[this.current] ? this.current : Object.keys(this.channels)[0], text });
  }

  async act(name, about) {
    const outcome = await ask(`/sandbox/act/${name}`, { user: this.user, ...about });
    if (!outcome.ok && !outcome.errors) this.toast(`Leadswitch did not answer (${outcome.error}).`);
    await this.refresh();
    return outcome;
  }

  toast(text) {
    const toast = byId("toast");
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => { toast.hidden = true; }, 5000);
  }
}
